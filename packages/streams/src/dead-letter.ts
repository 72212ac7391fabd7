/** `lua/streams/dead_letter.lua`, typed. */
import { flatFields, type Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { Entry } from "./entry.ts";

const run = bindScript("streams/dead_letter");

/** A script can hand over some thousand values; an entry of more fields is kept whole, as one. */
const FIELDS_MAX = 1_000;
/** Of a larger entry the beginning is kept, which tells what it was: 10,000 letters must not fill Redis's memory. */
const BYTES_MAX = 64 * 1024;
/** A reason may quote what it complains about. */
const REASON_MAX_CHARS = 1_000;

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

/** The fields, or their JSON, or the JSON's beginning with the length of the whole. */
function bounded(fields: Entry["fields"]): string[] {
  const flat = flatFields(fields);
  const bytes = flat.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= BYTES_MAX && flat.length <= 2 * FIELDS_MAX) return flat;
  const json = Buffer.from(JSON.stringify(fields));
  if (json.length <= BYTES_MAX) return ["json", json.toString()];
  // A character that is cut in two is left out.
  const beginning = json
    .subarray(0, BYTES_MAX)
    .toString()
    .replace(/\ufffd$/, "");
  return ["json_beginning", beginning, "json_bytes", String(json.length)];
}
