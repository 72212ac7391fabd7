/** What an ended plan leaves in Redis: its keys, their size and how long they live. */
import type { RedisClient } from "@quantum/redis";
import type { Figures } from "./measure.ts";

const SCAN_COUNT = 1_000;
/** More would take longer than the run. */
const KEYS_PER_KIND = 200;
const PLAN_ID = /[0-9a-f]{16}/;
const MS_PER_HOUR = 3_600_000;

/**
 * Over all plans that are there: for each kind of key, bytes a plan, and hours until it expires. Streams are not counted, since
 * they keep their length.
 */
export async function footprintOf(client: RedisClient): Promise<Figures> {
  const kinds = new Map<string, string[]>();
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "COUNT", SCAN_COUNT);
    cursor = next;
    for (const key of keys) {
      if (!PLAN_ID.test(key)) continue;
      const kind = key.replace(PLAN_ID, "ID");
      const known = kinds.get(kind);
      if (known === undefined) kinds.set(kind, [key]);
      else known.push(key);
    }
  } while (cursor !== "0");
  const plans = Math.max(...[...kinds.values()].map((keys) => keys.length));
  const figures: Figures = {};
  for (const [kind, keys] of kinds) {
    const some = keys.slice(0, KEYS_PER_KIND);
    const pipeline = client.pipeline();
    for (const key of some) pipeline.memory("USAGE", key).pttl(key);
    const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => Number(reply));
    const sum = (offset: number) =>
      some.reduce((total, _, index) => total + (replies[2 * index + offset] ?? Number.NaN), 0);
    figures[`${KEPT} ${kind}, bytes`] = (sum(0) / some.length) * (keys.length / plans);
    figures[`${KEPT} ${kind}, h`] = sum(1) / some.length / MS_PER_HOUR;
  }
  return figures;
}

/** How the figures' names begin. */
export const KEPT = "kept";
