/** Entries that a group gave up: listed, given back and dropped. */
import { addedAtMs, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { drop, type Mandate, requeue } from "./changes.ts";
import { batchesNewestFirst, behind, ENTRY_ID } from "./entries.ts";

export interface DeadLetter {
  id: string;
  atMs: number;
  stream: string;
  group: string;
  reason: string;
  /** The letter's own, and the entry's as `entry.<name>`. */
  fields: Record<string, string>;
}

/** "" or absent: any. */
export interface DeadLetterFilter {
  /** The stream's whole name, or its end behind `quantum:stream:`. */
  stream?: string | undefined;
  group?: string | undefined;
  /** A part of it, in any case. */
  reason?: string | undefined;
}

export interface DeadLetterQuery extends DeadLetterFilter {
  /** From {@link DeadLetterList}.next. */
  cursor?: string | undefined;
}

export interface DeadLetterList {
  /** Newest first. */
  rows: readonly DeadLetter[];
  /** To go on; undefined: there are no more. */
  next: string | undefined;
  /** All that are kept, wanted or not. */
  total: number;
}

const PAGE = 50;
/** A letter may have 64 kB. */
const BATCH = 200;
const BUDGET_MS = 1_000;

/**
 * A page may be shorter than others, or empty, and have a next one: a search stops after a second.
 * @throws RangeError if the cursor is not one of ours
 */
export async function pageDeadLetters(access: Access, query: DeadLetterQuery): Promise<DeadLetterList> {
  const stopAt = performance.now() + BUDGET_MS;
  const { redis, keys } = access;
  const total = await redis.xlen(keys.streams.deadLetter);
  const rows: DeadLetter[] = [];
  for await (const letters of batches(access, query.cursor)) {
    for (const letter of letters) {
      if (isWanted(letter, query)) rows.push(letter);
      if (rows.length === PAGE) return { rows, next: letter.id, total };
    }
    if (performance.now() > stopAt) return { rows, next: letters.at(-1)?.id, total };
  }
  return { rows, next: undefined, total };
}

/** All, newest first. */
export async function* wantedDeadLetters(
  access: Access,
  filter: DeadLetterFilter = {},
): AsyncGenerator<DeadLetter> {
  for await (const letters of batches(access)) yield* letters.filter((letter) => isWanted(letter, filter));
}

/** Undefined if there is none; `id` as `<ms>-<sequence>`. */
export async function readDeadLetter({ redis, keys }: Access, id: string): Promise<DeadLetter | undefined> {
  if (!ENTRY_ID.test(id)) return undefined;
  const [entry] = parseEntries(await redis.xrange(keys.streams.deadLetter, id, id));
  return entry && letterOf(entry);
}

/** What became of each of several letters: `why` of one that was left as it is. */
export interface Handled {
  id: string;
  done: boolean;
  why: string;
}

/** At once, so that a long list ends soon and one that fails does not stop the others. */
const HANDLED_AT_ONCE = 20;

/** Makes the entries pending again for the groups that gave them up. */
export function requeueLetters(access: Access, ids: readonly string[], by: Mandate): Promise<Handled[]> {
  return handle(access, ids, async (letter) => {
    const done = await requeue(access, letter, by);
    if (done === "trimmed") return `${letter.fields["entry_id"]} is no longer in ${letter.stream}`;
    return done === "requeued" ? "" : GONE;
  });
}

/** Deletes the letters; the audit entries keep their texts. */
export function dropLetters(access: Access, ids: readonly string[], by: Mandate): Promise<Handled[]> {
  return handle(access, ids, async (letter) => ((await drop(access, letter, by)) ? "" : GONE));
}

const GONE = "there is no such dead letter";

async function handle(
  access: Access,
  ids: readonly string[],
  change: (letter: DeadLetter) => Promise<string>,
): Promise<Handled[]> {
  const handleOne = async (id: string): Promise<Handled> => {
    const letter = await readDeadLetter(access, id);
    if (letter === undefined) return { id, done: false, why: GONE };
    try {
      const why = await change(letter);
      return { id, done: why === "", why };
    } catch (error) {
      const { name, message } = error as Error;
      // Redis's answer, such as that the group is gone, concerns this letter; its silence concerns all.
      if (name !== "ReplyError" || message.startsWith("NOPERM")) throw error;
      return { id, done: false, why: message };
    }
  };
  const handled: Handled[] = [];
  const unique = [...new Set(ids)];
  for (let from = 0; from < unique.length; from += HANDLED_AT_ONCE)
    handled.push(...(await Promise.all(unique.slice(from, from + HANDLED_AT_ONCE).map(handleOne))));
  return handled;
}

/** @param cursor id of the last letter that was seen */
async function* batches({ redis, keys }: Access, cursor?: string): AsyncGenerator<DeadLetter[]> {
  const range = { from: behind(cursor) };
  for await (const batch of batchesNewestFirst(redis, keys.streams.deadLetter, range, BATCH))
    yield batch.map(letterOf);
}

function isWanted(letter: DeadLetter, { stream, group, reason }: DeadLetterFilter): boolean {
  if (stream && letter.stream !== stream && !letter.stream.endsWith(`:${stream}`)) return false;
  if (group && letter.group !== group) return false;
  return !reason || letter.reason.toLowerCase().includes(reason.toLowerCase());
}

function letterOf({ id, fields }: { id: string; fields: Record<string, string> }): DeadLetter {
  const { stream = "", group = "", reason = "" } = fields;
  return { id, atMs: addedAtMs(id), stream, group, reason, fields };
}
