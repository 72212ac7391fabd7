/** Plans by symbol, outcome, reason, issuer and time, newest first, over what the streams hold. */
import { addedAtMs, type Entry, isLater, parseEntries } from "@quantum/streams";
import type { Partition } from "@quantum/service-kit";
import type { Access } from "./access.ts";
import type { Place } from "./place.ts";
import { batchesNewestFirst, ENTRY_ID } from "./entries.ts";
import { correctsText, outcomeText, type PlanRow, rowOfResult } from "./plan-rows.ts";
import {
  type Cursor,
  cursorOf,
  type Found,
  type From,
  inOrder,
  mergePages,
  type Page,
  textOf,
  within,
} from "./plan-order.ts";
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

/**
 * A plan that was opened again has a row for each end.
 * @throws RangeError if the cursor is not one of ours
 */
export async function searchPlans(
  access: Access,
  query: PlanQuery,
  options: SearchOptions = {},
): Promise<PlanList> {
  const cursor = query.cursor ? cursorOf(query.cursor) : undefined;
  const pages = await Promise.all(
    access.partitions.map((partition) =>
      searchPartition(partition, query, { ...options, from: within(cursor, partition.number) }),
    ),
  );
  const { found, next } = mergePages(pages, options.limit ?? PAGE);
  const oldest = pages.flatMap(({ oldestMs }) => oldestMs ?? []);
  const oldestMs = oldest.length === 0 ? undefined : Math.min(...oldest);
  return {
    rows: await withCorrected(access, found),
    next: next && textOf(next, access.partitions.all.length),
    searchedToMs: next === undefined ? (query.fromMs ?? oldestMs ?? 0) : addedAtMs(next.id),
    oldestMs,
  };
}

interface PartitionPage extends Page {
  /** As far back as the stream goes. */
  oldestMs: number | undefined;
}

async function searchPartition(
  { redis, keys, number: partition }: Partition,
  query: PlanQuery,
  { limit = PAGE, onlyEnded = false, budgetMs = BUDGET_MS, from }: SearchOptions & { from: From },
): Promise<PartitionPage> {
  const stopAt = performance.now() + budgetMs;
  const place = { redis, keys };
  const [oldest, pending] = await Promise.all([
    redis.xrange(keys.streams.result, "-", "+", "COUNT", 1),
    onlyEnded ? [] : unfinishedOf(place, query, { partition, from }),
  ]);
  const oldestMs = oldest[0] && addedAtMs(oldest[0][0]);
  const found: Found[] = [];
  const take = (more: readonly Found[]) => found.push(...more.slice(0, limit - found.length));
  const pageTo = (next: Cursor | undefined): PartitionPage => ({ found, next, oldestMs });

  if (!isUnfinished(query.outcome)) {
    for await (const batch of batchesNewestFirst(redis, keys.streams.result, rangeOf(query, from))) {
      const oldestId = batch.at(-1)?.id ?? "0-0";
      const results = batch.map((entry) => foundResult(entry, partition));
      const ended = await matchingOf(place, query, results);
      const newer = pending.splice(0, pending.findLastIndex(({ id }) => !isLater(oldestId, id)) + 1);
      take([...ended, ...newer].toSorted(inOrder));
      const last = found.at(-1);
      if (last !== undefined && found.length === limit) return pageTo(last);
      if (performance.now() > stopAt) return pageTo({ id: oldestId, partition, isUnfinished: false });
    }
  }
  take(pending);
  const last = found.at(-1);
  return pageTo(found.length === limit ? last : undefined);
}

function isUnfinished(outcome: string | undefined): boolean {
  return UNFINISHED.some((state) => state === outcome?.toUpperCase());
}

/** As XREVRANGE takes it: behind the cursor, within the times. */
function rangeOf({ fromMs, toMs }: PlanQuery, from: From): { from: string; to: string } {
  const to = fromMs === undefined ? "-" : idOf(fromMs);
  if (from !== undefined) return { from: from.seen === "all" ? `(${from.id}` : from.id, to };
  return { from: toMs === undefined ? "+" : idOf(toMs), to };
}

function idOf(ms: number): string {
  return String(Math.max(0, Math.floor(ms)));
}

async function unfinishedOf(
  place: Place,
  query: PlanQuery,
  { partition, from }: { partition: number; from: From },
): Promise<Found[]> {
  const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = query;
  const all = (await readUnfinished(place)).map((plan) => ({ ...plan, partition, isUnfinished: true }));
  const wanted = all.filter(({ id }) => {
    const atMs = addedAtMs(id);
    const isBehind = from === undefined || isLater(from.id, id) || (from.seen === "none" && from.id === id);
    return atMs >= fromMs && atMs <= toMs && isBehind;
  });
  return (await matchingOf(place, query, wanted)).toSorted(inOrder);
}

function foundResult(entry: Entry, partition: number): Found {
  const attempt = entry.fields["attempt"] ?? "";
  return { id: entry.id, partition, isUnfinished: false, attempt, row: rowOfResult(entry) };
}

async function matchingOf(place: Place, query: PlanQuery, candidates: readonly Found[]): Promise<Found[]> {
  const matching = candidates.filter(({ row }) => isWanted(row, query));
  const { issuer } = query;
  if (!issuer) return matching;
  const concerned = await Promise.all(matching.map((plan) => isConcerned(place, plan, issuer)));
  return matching.filter((_, at) => concerned[at]);
}

function isWanted(row: PlanRow, { symbol, outcome, reason }: PlanQuery): boolean {
  const isSame = (wanted: string | undefined, ...found: readonly string[]) =>
    !wanted || found.some((text) => text.toUpperCase() === wanted.toUpperCase());
  return isSame(symbol, row.symbol) && isSame(outcome, row.outcome) && isSame(reason, row.reason, row.detail);
}

/** Whether the issuer denied or capped the attempt: the record tells, for a day; a result tells of the first denial. */
async function isConcerned(
  { redis, keys }: Place,
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
async function withCorrected({ partitions }: Access, found: readonly Found[]): Promise<PlanRow[]> {
  return Promise.all(
    found.map(async ({ row, partition }) => {
      const { corrects } = row;
      if (!ENTRY_ID.test(corrects)) return row;
      const { redis, keys } = partitions.all[partition] ?? partitions.account;
      const [entry] = parseEntries(await redis.xrange(keys.streams.result, corrects, corrects));
      const text = correctsText(corrects, entry && outcomeText(entry.fields));
      return { ...row, detail: [row.detail, text].filter(Boolean).join(", ") };
    }),
  );
}
