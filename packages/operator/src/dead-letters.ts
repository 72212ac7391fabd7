/** Entries that a group gave up: listed, given back and dropped. */
import { dispositionOf, isUnanswered } from "@quantum/redis";
import { addedAtMs, type Entry, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { drop, type Mandate, requeue } from "./changes.ts";
import { newestOfAll, placedId, placeOfId } from "./newest-of-all.ts";
import { type Places, placesOf } from "./places.ts";

export interface DeadLetter {
  /** Of its entry; with several partitions, `@` and the place behind it: entries of two places may have the same id. */
  id: string;
  atMs: number;
  stream: string;
  group: string;
  reason: string;
  /** The letter's own, and the entry's as `entry.<name>`. */
  fields: Record<string, string>;
}

/** What a {@link DeadLetter}.id looks like. */
export const DEAD_LETTER_ID = /^\d+-\d+(@(q\d{1,2}|intake))?$/;

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
  const total = await countDeadLetters(access);
  const rows: DeadLetter[] = [];
  for await (const letter of letters(access, query.cursor)) {
    if (isWanted(letter, query)) rows.push(letter);
    if (rows.length === PAGE || performance.now() > stopAt) return { rows, next: letter.id, total };
  }
  return { rows, next: undefined, total };
}

/** All that are kept. */
export async function countDeadLetters(access: Places): Promise<number> {
  const counts = await Promise.all(
    placesOf(access).map(({ redis, keys }) => redis.xlen(keys.streams.deadLetter)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** All, newest first. */
export async function* wantedDeadLetters(
  access: Access,
  filter: DeadLetterFilter = {},
): AsyncGenerator<DeadLetter> {
  for await (const letter of letters(access)) if (isWanted(letter, filter)) yield letter;
}

/** Undefined if there is none of this {@link DeadLetter}.id. */
export async function readDeadLetter(access: Access, id: string): Promise<DeadLetter | undefined> {
  const { place, entryId } = placeOfId(placesOf(access), id) ?? {};
  if (place === undefined || entryId === undefined) return undefined;
  const [entry] = parseEntries(await place.redis.xrange(place.keys.streams.deadLetter, entryId, entryId));
  return entry && letterOf(placedId(place, entry.id), entry);
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
    const { place, entryId } = whereOf(access, letter);
    const done = await requeue(place, { id: entryId, stream: letter.stream }, by);
    if (done === "trimmed") return `${letter.fields["entry_id"]} is no longer in ${letter.stream}`;
    return done === "requeued" ? "" : GONE;
  });
}

/** Deletes the letters; the audit entries keep their texts. */
export function dropLetters(access: Access, ids: readonly string[], by: Mandate): Promise<Handled[]> {
  return handle(access, ids, async (letter) => {
    const { place, entryId } = whereOf(access, letter);
    return (await drop(place, { id: entryId, fields: letter.fields }, by)) ? "" : GONE;
  });
}

/** Of a letter that was read. */
function whereOf(access: Access, { id }: DeadLetter) {
  const found = placeOfId(placesOf(access), id);
  if (found === undefined) throw new Error(`${id} is in no place`);
  return found;
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
async function* letters(access: Access, cursor?: string): AsyncGenerator<DeadLetter> {
  const options = { cursor, most: BATCH };
  for await (const { id, entry } of newestOfAll(placesOf(access), "deadLetter", options))
    yield letterOf(id, entry);
}

function isWanted(letter: DeadLetter, { stream, group, reason }: DeadLetterFilter): boolean {
  if (stream && letter.stream !== stream && !letter.stream.endsWith(`:${stream}`)) return false;
  if (group && letter.group !== group) return false;
  return !reason || letter.reason.toLowerCase().includes(reason.toLowerCase());
}

function letterOf(id: string, entry: Entry): DeadLetter {
  const { stream = "", group = "", reason = "" } = entry.fields;
  return { id, atMs: addedAtMs(entry.id), stream, group, reason, fields: entry.fields };
}
