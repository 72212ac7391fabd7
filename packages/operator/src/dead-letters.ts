/** Entries that a group gave up. */
import { addedAtMs, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { newestFirst } from "./entries.ts";

export interface DeadLetter {
  id: string;
  atMs: number;
  stream: string;
  group: string;
  reason: string;
  /** The letter's own, and the entry's as `entry.<name>`. */
  fields: Record<string, string>;
}

/** Newest first. */
export async function readDeadLetters({ redis, keys }: Access): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const entry of newestFirst(redis, keys.streams.deadLetter)) letters.push(letterOf(entry));
  return letters;
}

/** Undefined if there is none; `id` as `<ms>-<sequence>`. */
export async function readDeadLetter({ redis, keys }: Access, id: string): Promise<DeadLetter | undefined> {
  const [entry] = parseEntries(await redis.xrange(keys.streams.deadLetter, id, id));
  return entry && letterOf(entry);
}

function letterOf({ id, fields }: { id: string; fields: Record<string, string> }): DeadLetter {
  const { stream = "", group = "", reason = "" } = fields;
  return { id, atMs: addedAtMs(id), stream, group, reason, fields };
}
