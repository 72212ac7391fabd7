/** The typed wrapper of `lua/streams/dead_letter.lua`. */
import { flatFields, type Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { Entry } from "./entry.ts";

const run = bindScript("streams/dead_letter");

/** Lua can pass only a few thousand values to a command. An entry with more fields is stored as one JSON field. */
const FIELDS_MAX = 1_000;
/**
 * Of a larger entry only the beginning is kept, enough to recognise it: 10,000 dead letters must not fill Redis's
 * memory.
 */
const BYTES_MAX = 64 * 1024;
/** A reason may quote the value it complains about. */
const REASON_MAX_CHARS = 1_000;

export interface DeadLetter {
  stream: string;
  group: string;
  entry: Entry;
  reason: string;
}

/**
 * Moves a pending entry to the dead letters, with its reason, and acknowledges it in the same step.
 * @returns false if the entry was not pending
 */
export async function moveToDeadLetter(redis: RedisClient, keys: Keys, letter: DeadLetter): Promise<boolean> {
  const { stream, group, entry, reason } = letter;
  const [status] = await run(redis, {
    keys: { stream, dead: keys.streams.deadLetter },
    args: {
      group,
      entry_id: entry.id,
      reason: reason.slice(0, REASON_MAX_CHARS),
      deliveries: String(entry.deliveries),
    },
    restArgs: bounded(entry.fields),
  });
  return status === "MOVED";
}

/** The fields; or their JSON; or the beginning of the JSON and its full length. */
function bounded(fields: Entry["fields"]): string[] {
  const flat = flatFields(fields);
  const bytes = flat.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= BYTES_MAX && flat.length <= 2 * FIELDS_MAX) return flat;
  const json = Buffer.from(JSON.stringify(fields));
  if (json.length <= BYTES_MAX) return ["json", json.toString()];
  // Drops a character that was cut in two.
  const beginning = json
    .subarray(0, BYTES_MAX)
    .toString()
    .replace(/\ufffd$/, "");
  return ["json_beginning", beginning, "json_bytes", String(json.length)];
}
