/** A plan's entries in the streams. */
import type { orderRecord, planRecord, Texts } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { addedAtMs, type Entry, isLater, parseEntries } from "@quantum/streams";
import type { Place } from "./place.ts";
import { batchesNewestFirst, ENTRY_ID, oldestFirst } from "./entries.ts";

export interface PlanEntries {
  /** Oldest first, as the others. */
  plans: Entry[];
  permits: Entry[];
  executes: Entry[];
  results: Entry[];
  /** Other attempts were looked for no further back than this, in ms; undefined: as far as the stream goes. */
  notSearched: number | undefined;
}

interface Known {
  record: Texts<typeof planRecord>;
  order: Texts<typeof orderRecord>;
  /** Something of record or order cannot be read: it may be what would have told where an entry is. */
  isDamaged: boolean;
  attemptsBudgetMs: number;
}

/** Where an entry of the plan must be, if it is still in its stream. */
type Clue =
  | { id: string | undefined }
  /** By the time at which its script ran, or between two such times, in ms. */
  | { atMs: string | undefined; untilMs?: string; matches: (fields: Entry["fields"]) => boolean };

/** Redis gives an entry its id after the script has read the time. */
const AFTER_MS = 100;
const BEFORE_MS = 5;

export async function entriesOf(access: Place, planId: string, known: Known): Promise<PlanEntries> {
  const { redis, keys } = access;
  const { record, order } = known;
  const attempts = new Set([record.attempt, order.attempt].filter((attempt) => attempt !== undefined));
  const [attempt] = attempts;
  if (known.isDamaged || attempt === undefined || attempts.size > 1 || isAhead(attempt, record.opened_at_ms))
    return { ...(await searchAll(access, planId)), notSearched: undefined };
  const { plan, permit, execute, result } = keys.streams;
  const find = (stream: string, clues: readonly Clue[]) => findBy(redis, stream, planId, clues);
  const [others, plans, permits, executes, results] = await Promise.all([
    otherAttempts(redis, plan, planId, { attempt, budgetMs: known.attemptsBudgetMs }),
    find(plan, [{ id: attempt }]),
    find(permit, record.attempt === undefined ? beforeOrder(order) : permitClues(record)),
    find(execute, record.attempt === undefined ? beforeOrder(order) : executeClues(record, order)),
    find(result, resultClues(record, order)),
  ]);
  if (others.found) return { ...(await searchAll(access, planId)), notSearched: undefined };
  return { plans, permits, executes, results, notSearched: others.notSearched };
}

/** Redis's clock had been ahead: ids do not go back with it, and no time tells them. */
function isAhead(attempt: string, openedAt: string | undefined): boolean {
  return addedAtMs(attempt) - Number(openedAt ?? Number.NaN) > AFTER_MS;
}

/** Of a plan whose record is gone: its order tells when it was opened, and when it was claimed or refused. */
function beforeOrder({
  attempt,
  claimed_at_ms: claimedAt,
  settled_at_ms: settledAt,
}: Known["order"]): Clue[] {
  const untilMs = claimedAt ?? settledAt;
  if (attempt === undefined || untilMs === undefined) return [];
  return [{ atMs: String(addedAtMs(attempt)), untilMs, matches: () => true }];
}

function executeClues(record: Known["record"], order: Known["order"]): Clue[] {
  return [{ id: order.entry_id ?? record.entry_id ?? entryIdOf(record.hand_over) }];
}

/** Issuers that only set keys write no entry. */
function permitClues(record: Known["record"]): Clue[] {
  return Object.keys(record).flatMap((field) => {
    const issuer = /^(.+)_verdict$/.exec(field)?.[1];
    if (issuer === undefined) return [];
    return [{ atMs: record[`${issuer}_at_ms`], matches: (fields) => fields["issuer"] === issuer }];
  });
}

function resultClues(record: Known["record"], order: Known["order"]): Clue[] {
  const corrected = order.corrected_at_ms ?? record.corrected_at_ms;
  const isCorrection = (fields: Entry["fields"]) => (fields["corrects"] ?? "") !== "";
  return [
    order.result_id === undefined
      ? { atMs: record.ended_at_ms ?? order.settled_at_ms, matches: (fields) => !isCorrection(fields) }
      : { id: order.result_id },
    { atMs: corrected, matches: isCorrection },
  ];
}

/** The entry's id in the copy of a handover that earlier versions kept: names and values in turn. */
function entryIdOf(handOver: string | undefined): string | undefined {
  if (handOver === undefined) return undefined;
  const flat = JSON.parse(handOver) as string[];
  return flat.find((_, at) => at % 2 === 1 && flat[at - 1] === "entry_id");
}

async function findBy(
  redis: RedisClient,
  stream: string,
  planId: string,
  clues: readonly Clue[],
): Promise<Entry[]> {
  const found = await Promise.all(
    clues.map(async (clue) => {
      if ("id" in clue) return clue.id === undefined ? [] : await entryAt(redis, stream, planId, clue.id);
      const isIts = ({ fields }: Entry) => fields["plan_id"] === planId && clue.matches(fields);
      if (clue.atMs === undefined) return [];
      const times = { fromMs: Number(clue.atMs), untilMs: Number(clue.untilMs ?? clue.atMs) };
      return await entriesNear(redis, stream, times, isIts);
    }),
  );
  const byId = new Map(found.flat().map((entry) => [entry.id, entry]));
  return [...byId.values()].toSorted((a, b) => (isLater(a.id, b.id) ? 1 : -1));
}

async function entryAt(redis: RedisClient, stream: string, planId: string, id: string): Promise<Entry[]> {
  if (!ENTRY_ID.test(id)) return [];
  return parseEntries(await redis.xrange(stream, id, id)).filter(
    ({ fields }) => fields["plan_id"] === planId,
  );
}

async function entriesNear(
  redis: RedisClient,
  stream: string,
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
  isIts: (entry: Entry) => boolean,
): Promise<Entry[]> {
  const from = String(Math.max(0, fromMs - BEFORE_MS));
  const to = String(untilMs + AFTER_MS);
  const near: Entry[] = [];
  for await (const entry of oldestFirst(redis, stream, { from, to })) if (isIts(entry)) near.push(entry);
  if (near.length > 0) return near;
  const [oldest] = await redis.xrange(stream, "-", "+", "COUNT", 1);
  // It has been trimmed.
  if (oldest === undefined || addedAtMs(oldest[0]) > untilMs + AFTER_MS) return [];
  // Redis's clock had been ahead: ids do not go back with it.
  for await (const entry of oldestFirst(redis, stream, { from: to })) if (isIts(entry)) return [entry];
  return [];
}

/** Whether the plan was opened more often than its record tells. Nothing else tells: the record is the newest attempt's. */
async function otherAttempts(
  redis: RedisClient,
  stream: string,
  planId: string,
  { attempt, budgetMs }: { attempt: string; budgetMs: number },
): Promise<{ found: boolean; notSearched: number | undefined }> {
  const stopAt = performance.now() + budgetMs;
  for await (const batch of batchesNewestFirst(redis, stream)) {
    if (batch.some(({ id, fields }) => fields["plan_id"] === planId && id !== attempt))
      return { found: true, notSearched: undefined };
    const last = batch.at(-1);
    if (last !== undefined && performance.now() > stopAt)
      return { found: false, notSearched: addedAtMs(last.id) };
  }
  return { found: false, notSearched: undefined };
}

async function searchAll({ redis, keys }: Place, planId: string) {
  const { plan, permit, execute, result } = keys.streams;
  const search = async (stream: string): Promise<Entry[]> => {
    const found: Entry[] = [];
    for await (const entry of oldestFirst(redis, stream))
      if (entry.fields["plan_id"] === planId) found.push(entry);
    return found;
  };
  const [plans, permits, executes, results] = await Promise.all([
    search(plan),
    search(permit),
    search(execute),
    search(result),
  ]);
  return { plans, permits, executes, results };
}
