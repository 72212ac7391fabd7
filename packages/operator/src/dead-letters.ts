/** Entries that a group gave up: listed, given back and dropped. */
import { dispositionOf, isUnanswered } from "@quantum/redis";
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

/** What became of each of several letters: `why` of one that is not known to be done. */
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
const UNCLEAR = "Redis did not answer, so it may be done or not: look again";

/**
 * Stops where Redis fails for all of them. What was done until then stays done, and is told.
 * @throws what Redis failed with, if nothing was done
 */
async function handle(
  access: Access,
  ids: readonly string[],
  change: (letter: DeadLetter) => Promise<string>,
): Promise<Handled[]> {
  const failures: Error[] = [];
  const handleOne = async (id: string): Promise<Handled> => {
    try {
      const letter = await readDeadLetter(access, id);
      const why = letter === undefined ? GONE : await change(letter);
      return { id, done: why === "", why };
    } catch (error) {
      const { message } = error as Error;
      // Such as that the group is gone: it concerns this letter.
      if (dispositionOf(error).kind === "command") return { id, done: false, why: message };
      failures.push(error as Error);
      return { id, done: false, why: isUnanswered(error) ? `${UNCLEAR} (${message})` : message };
    }
  };
  const handled: Handled[] = [];
  const unique = [...new Set(ids)];
  for (let from = 0; from < unique.length; from += HANDLED_AT_ONCE) {
    const some = unique.slice(from, from + HANDLED_AT_ONCE);
    const why = `it was not tried, because Redis failed before: ${failures[0]?.message}`;
    if (failures.length === 0) handled.push(...(await Promise.all(some.map(handleOne))));
    else handled.push(...some.map((id) => ({ id, done: false, why })));
  }
  // Where one was not answered, nobody may say that nothing was changed.
  const failure = failures.find(isUnanswered) ?? failures[0];
  if (failure !== undefined && !handled.some(({ done }) => done)) throw failure;
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
