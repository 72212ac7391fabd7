/** `lua/streams/dead_letter.lua`, typed. */
import { flatFields, type Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { Entry } from "./entry.ts";

const run = bindScript("streams/dead_letter", {
  keys: ["stream", "dead"],
  args: ["group", "entry_id", "reason", "deliveries"],
  restArgs: "fields",
});

/** A script can hand over some thousand values; an entry of more fields is kept whole, as one. */
const FIELDS_MAX = 1_000;

export interface DeadLetter {
  stream: string;
  group: string;
  entry: Entry;
  reason: string;
}

/** Moves a pending entry with its reason and acknowledges it, in one step. @returns false if it was not pending */
export async function moveToDeadLetter(redis: RedisClient, keys: Keys, letter: DeadLetter): Promise<boolean> {
  const { stream, group, entry, reason } = letter;
  const [status] = await run(redis, {
    keys: { stream, dead: keys.streams.deadLetter },
    args: { group, entry_id: entry.id, reason, deliveries: String(entry.deliveries) },
    restArgs:
      Object.keys(entry.fields).length > FIELDS_MAX
        ? ["json", JSON.stringify(entry.fields)]
        : flatFields(entry.fields),
  });
  return status === "MOVED";
}
