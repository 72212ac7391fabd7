/** Plans by symbol, outcome, reason, issuer and time, newest first, over what the streams hold. */
import { addedAtMs, type Entry, isLater, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { batchesNewestFirst, ENTRY_ID } from "./entries.ts";
import { correctsText, outcomeText, type PlanRow, rowOfResult } from "./plan-rows.ts";
import { readUnfinished, UNFINISHED } from "./unfinished-plans.ts";

/** Symbols, outcomes and reasons in any case. "" or absent: any. */
export interface PlanQuery {
  symbol?: string | undefined;
  outcome?: string | undefined;
  /** Of the plan, or of the issuer that denied it. */
  reason?: string | undefined;
  /** That denied or capped it. */
  issuer?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
  /** From {@link PlanList}.next. */
  cursor?: string | undefined;
}

/** Newest first. */
export interface PlanList {
  rows: readonly PlanRow[];
  /** To go on; undefined: the streams hold no more. */
  next: string | undefined;
  /** As far back as this was searched: a search stops after a second, found or not. */
  searchedToMs: number;
  /** As far back as the streams go. */
  oldestMs: number | undefined;
}

export interface SearchOptions {
  /** Rows of a page. */
  limit?: number;
  /** Without plans that have no end yet. */
  onlyEnded?: boolean;
  budgetMs?: number;
}

const PAGE = 50;
const BUDGET_MS = 1_000;

/** Where a row stands in the list. Of a plan without an end and a result with the same id, the plan comes first. */
interface Place {
  id: string;
  isUnfinished: boolean;
}

interface Found extends Place {
  attempt: string;
  row: PlanRow;
}

/**
 * A plan that was opened again has a row for each end.
 * @throws RangeError if the cursor is not one of ours
 */
export async function searchPlans(
  access: Access,
  query: PlanQuery,
  { limit = PAGE, onlyEnded = false, budgetMs = BUDGET_MS }: SearchOptions = {},
): Promise<PlanList> {
  const stopAt = performance.now() + budgetMs;
  const { redis, keys } = access;
  const cursor = query.cursor ? placeOfCursor(query.cursor) : undefined;
  const [oldest, pending] = await Promise.all([
    redis.xrange(keys.streams.result, "-", "+", "COUNT", 1),
    onlyEnded ? [] : unfinishedOf(access, query, cursor),
  ]);
  const oldestMs = oldest[0] && addedAtMs(oldest[0][0]);
  const found: Found[] = [];
  const take = (more: readonly Found[]) => found.push(...more.slice(0, limit - found.length));
  const listTo = async (next: Place | undefined, searchedToMs: number): Promise<PlanList> => ({
    rows: await withCorrected(access, found),
    next: next && cursorOf(next),
    searchedToMs,
    oldestMs,
  });
  const listToLast = async (last: Found) => listTo(last, addedAtMs(last.id));

  if (!isUnfinished(query.outcome)) {
    const range = rangeOf(query, cursor);
    for await (const batch of batchesNewestFirst(redis, keys.streams.result, range)) {
      const oldestId = batch.at(-1)?.id ?? "0-0";
      const ended = await matchingOf(access, query, batch.map(foundResult));
      const newer = pending.splice(0, pending.findLastIndex(({ id }) => !isLater(oldestId, id)) + 1);
      take([...ended, ...newer].toSorted(newestFirst));
      const last = found.at(-1);
      if (last !== undefined && found.length === limit) return await listToLast(last);
      if (performance.now() > stopAt)
        return await listTo({ id: oldestId, isUnfinished: false }, addedAtMs(oldestId));
    }
  }
  take(pending);
  const last = found.at(-1);
  if (last !== undefined && found.length === limit) return await listToLast(last);
  return await listTo(undefined, query.fromMs ?? oldestMs ?? 0);
}

function isUnfinished(outcome: string | undefined): boolean {
  return UNFINISHED.some((state) => state === outcome?.toUpperCase());
}

/** As XREVRANGE takes it: behind the cursor, within the times. */
function rangeOf({ fromMs, toMs }: PlanQuery, cursor: Place | undefined): { from: string; to: string } {
  const to = fromMs === undefined ? "-" : idOf(fromMs);
  if (cursor !== undefined) return { from: cursor.isUnfinished ? cursor.id : `(${cursor.id}`, to };
  return { from: toMs === undefined ? "+" : idOf(toMs), to };
}

function idOf(ms: number): string {
  return String(Math.max(0, Math.floor(ms)));
}

/** Newest first. */
async function unfinishedOf(access: Access, query: PlanQuery, cursor: Place | undefined): Promise<Found[]> {
  const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = query;
  const all = (await readUnfinished(access)).map((plan) => ({ ...plan, isUnfinished: true }));
  const within = all.filter(({ id }) => {
    const atMs = addedAtMs(id);
    return atMs >= fromMs && atMs <= toMs && (cursor === undefined || isLater(cursor.id, id));
  });
  return (await matchingOf(access, query, within)).toSorted(newestFirst);
}

function foundResult(entry: Entry): Found {
  const attempt = entry.fields["attempt"] ?? "";
  return { id: entry.id, isUnfinished: false, attempt, row: rowOfResult(entry) };
}

async function matchingOf(access: Access, query: PlanQuery, candidates: readonly Found[]): Promise<Found[]> {
  const matching = candidates.filter(({ row }) => isWanted(row, query));
  const { issuer } = query;
  if (!issuer) return matching;
  const concerned = await Promise.all(matching.map((plan) => isConcerned(access, plan, issuer)));
  return matching.filter((_, at) => concerned[at]);
}

function isWanted(row: PlanRow, { symbol, outcome, reason }: PlanQuery): boolean {
  const isSame = (wanted: string | undefined, ...found: readonly string[]) =>
    !wanted || found.some((text) => text.toUpperCase() === wanted.toUpperCase());
  return isSame(symbol, row.symbol) && isSame(outcome, row.outcome) && isSame(reason, row.reason, row.detail);
}

/** Whether the issuer denied or capped the attempt: the record tells, for a day; a result tells of the first denial. */
async function isConcerned(
  { redis, keys }: Access,
  { attempt, row }: Found,
  issuer: string,
): Promise<boolean> {
  if (row.reason === `${issuer}_permit_denied`) return true;
  const [recorded, verdict, cap] = await redis.hmget(
    keys.plan(row.planId),
    "attempt",
    `${issuer}_verdict`,
    `${issuer}_cap`,
  );
  return recorded === attempt && (verdict === "denied" || Boolean(cap));
}

/** The rows; those of corrections say in their detail what they correct, as long as the stream has it. */
async function withCorrected({ redis, keys }: Access, found: readonly Found[]): Promise<PlanRow[]> {
  return Promise.all(
    found.map(async ({ row }) => {
      const { corrects } = row;
      if (!ENTRY_ID.test(corrects)) return row;
      const [entry] = parseEntries(await redis.xrange(keys.streams.result, corrects, corrects));
      const text = correctsText(corrects, entry && outcomeText(entry.fields));
      return { ...row, detail: [row.detail, text].filter(Boolean).join(", ") };
    }),
  );
}

function newestFirst(a: Found, b: Found): number {
  if (a.id === b.id) return Number(b.isUnfinished) - Number(a.isUnfinished);
  return isLater(a.id, b.id) ? -1 : 1;
}

const CURSOR = /^(\d{1,15}-\d{1,15})(u?)$/;

function cursorOf({ id, isUnfinished }: Place): string {
  return isUnfinished ? `${id}u` : id;
}

function placeOfCursor(text: string): Place {
  const [, id, mark] = CURSOR.exec(text) ?? [];
  if (id === undefined) throw new RangeError(`cursor ${JSON.stringify(text)}: it is none of ours`);
  return { id, isUnfinished: mark === "u" };
}
