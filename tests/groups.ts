/** What the consumer groups have not read or not acknowledged. */
import type { RedisClient } from "@quantum/redis";
import { groupsOf, lastGeneratedId } from "@quantum/streams";

const SHOWN_MAX = 1_000;

export interface Unfinished {
  /** Of a pending entry; empty where entries are not even read. */
  entryId: string;
  what: string;
}

export async function unfinished(
  client: RedisClient,
  streams: Record<string, string>,
): Promise<Unfinished[]> {
  const found: Unfinished[] = [];
  for (const stream of Object.values(streams)) {
    if ((await client.exists(stream)) === 0) continue;
    const last = await lastGeneratedId(client, stream);
    for (const { name, pending, lastDeliveredId } of await groupsOf(client, stream)) {
      if (lastDeliveredId !== last)
        found.push({ entryId: "", what: `${name} has not read ${last} of ${stream}` });
      if (pending === 0) continue;
      const entries = (await client.xpending(stream, name, "-", "+", SHOWN_MAX)) as [string][];
      found.push(...entries.map(([id]) => ({ entryId: id, what: `${name} has ${id} of ${stream} pending` })));
    }
  }
  return found;
}
