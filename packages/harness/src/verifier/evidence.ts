/** All evidence for the invariants: the streams' contents, and the final state of the exchange and Redis. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type ledgerRecord,
  orderRecord,
  parseRecordOrNone,
  type NameOf,
  type snapshotRecord,
} from "@quantum/contract";
import { type IssuerKeys, loadIssuerKeys } from "@quantum/signing";
import type { Place } from "@quantum/service-kit";
import { OPERATOR_KEYS_FILE, PUBLIC_KEYS_FILE } from "@quantum/topology";
import { z } from "zod";
import type { PipelineRedis } from "../pipeline-redis.ts";
import type { ExecuteRecord, History, PermitRecord, PlanRecord, ResultRecord } from "./history.ts";

const order = z.object({
  symbol: z.string(),
  orderId: z.string(),
  clientOrderId: z.string(),
  side: z.enum(["BUY", "SELL"]),
  reduceOnly: z.boolean(),
  /** `api`: ours. `strategy`: the simulated account's. */
  origin: z.string(),
  origQty: z.string(),
  executedQty: z.string(),
  timestampMs: z.number().optional(),
  recvWindowMs: z.number().optional(),
  status: z.string().optional(),
});
/** An order that waits for its price. */
const algoOrder = z.object({ symbol: z.string(), algoId: z.string(), status: z.string() });
const trade = z.object({
  id: z.string(),
  orderId: z.string(),
  symbol: z.string(),
  side: z.enum(["BUY", "SELL"]),
  qty: z.string(),
});
const exchangeState = z.object({
  symbols: z.array(z.object({ symbol: z.string() })),
  positions: z.array(z.object({ symbol: z.string(), positionAmt: z.string() })),
  orders: z.array(order),
  trades: z.array(trade),
  algoOrders: z.array(algoOrder).default([]),
});

export type VenueOrder = z.infer<typeof order>;
export type VenueTrade = z.infer<typeof trade>;

/** `id`: the exchange's, of an order or an algo order. */
export interface Cancelled {
  symbol: string;
  id: string;
}

/** The executor's claim of a plan's order, read from the order hash. */
export interface Claim {
  attempt: string;
  state: string;
  /** Undefined if the order was refused before it was claimed. */
  claimedAtMs: number | undefined;
  /** End of the send window, by the exchange's clock. */
  windowEndMs: number | undefined;
  /** Claimed only to query an order that may have been sent before. Nothing is sent, so it may be late. */
  isQuestion: boolean;
}

/** The kill switch was on from `fromMs` to `toMs`, by Redis's clock. */
export interface Halt {
  fromMs: number;
  toMs: number;
}

export interface Evidence {
  requiredIssuers: readonly string[];
  /** The issuers' public keys; undefined if they sign nothing. */
  issuerKeys: IssuerKeys | undefined;
  /** The operators' public keys; undefined if nobody is enrolled. */
  operatorKeys: IssuerKeys | undefined;
  /** `History.attemptOf`, for the attempts that signatures name. */
  attemptOf: (planId: string, attempt: string) => string;
  proposedPlanIds: ReadonlySet<string>;
  plans: readonly PlanRecord[];
  permits: readonly PermitRecord[];
  executes: readonly ExecuteRecord[];
  results: readonly ResultRecord[];
  /** Every order and trade of the account, in chronological order per symbol. */
  orders: readonly VenueOrder[];
  trades: readonly VenueTrade[];
  /** The account's orders that a request has cancelled. The venue ends others by itself, as EXPIRED. */
  cancelled: readonly Cancelled[];
  /** By symbol, as signed decimals. */
  positions: ReadonlyMap<string, string>;
  ledgers: ReadonlyMap<string, string>;
  snapshots: ReadonlyMap<string, string>;
  /** By plan id. */
  claims: ReadonlyMap<string, Claim>;
  halts: readonly Halt[];
}

export interface Sources {
  redis: Pick<PipelineRedis, "partitions">;
  exchangeUrl: string;
  history: History;
  requiredIssuers: readonly string[];
  /** Has the keys of issuers and operators; undefined if nothing is signed. */
  keysFolder: string | undefined;
  halts: readonly Halt[];
}

export async function collectEvidence(sources: Sources): Promise<Evidence> {
  const { redis, history } = sources;
  const exchange = await readExchange(sources.exchangeUrl);
  const positions = new Map(exchange.positions.map(({ symbol, positionAmt }) => [symbol, positionAmt]));
  const symbols = [...positions.keys()];
  const placeOf = (symbol: string) => redis.partitions.of(symbol);
  return {
    requiredIssuers: sources.requiredIssuers,
    ...(await publicKeysOf(sources)),
    attemptOf: (planId, attempt) => history.attemptOf(planId, attempt),
    proposedPlanIds: history.proposedPlanIds,
    plans: history.plans,
    permits: history.permits,
    executes: history.executes,
    results: history.results,
    orders: exchange.orders,
    trades: exchange.trades,
    cancelled: cancelledIn(exchange),
    positions,
    ledgers: await readAmounts(symbols, (symbol) => {
      const place = placeOf(symbol);
      return place.redis.hget(
        place.keys.ledger(symbol),
        "last_known_amt" satisfies NameOf<typeof ledgerRecord>,
      );
    }),
    snapshots: await readAmounts(symbols, (symbol) => {
      const place = placeOf(symbol);
      return place.redis.hget(
        place.keys.snapshot(symbol),
        "position_amt" satisfies NameOf<typeof snapshotRecord>,
      );
    }),
    claims: await readClaims(history, placeOf),
    halts: sources.halts,
  };
}

/**
 * Evidence of a run whose Redis or exchange is gone: the streams' contents, and orders if the exchange still answers.
 */
export async function collectWhatIsLeft({
  history,
  exchangeUrl,
  requiredIssuers,
  keysFolder,
  halts,
}: Omit<Sources, "redis">): Promise<Evidence> {
  const exchange = await readExchange(exchangeUrl).catch(() => undefined);
  const { proposedPlanIds, plans, permits, executes, results } = history;
  return {
    ...(await publicKeysOf({ keysFolder })),
    attemptOf: (planId, attempt) => history.attemptOf(planId, attempt),
    ...{ requiredIssuers, proposedPlanIds, plans, permits, executes, results, halts },
    orders: exchange?.orders ?? [],
    trades: exchange?.trades ?? [],
    cancelled: exchange === undefined ? [] : cancelledIn(exchange),
    ...{ positions: new Map(), ledgers: new Map(), snapshots: new Map(), claims: new Map() },
  };
}

function cancelledIn({ orders, algoOrders }: z.infer<typeof exchangeState>): Cancelled[] {
  const all = [
    ...orders.map(({ symbol, orderId: id, status }) => ({ symbol, id, status })),
    ...algoOrders.map(({ symbol, algoId: id, status }) => ({ symbol, id, status })),
  ];
  return all.filter(({ status }) => status === "CANCELED").map(({ symbol, id }) => ({ symbol, id }));
}

async function publicKeysOf({
  keysFolder,
}: Pick<Sources, "keysFolder">): Promise<Pick<Evidence, "issuerKeys" | "operatorKeys">> {
  if (keysFolder === undefined) return { issuerKeys: undefined, operatorKeys: undefined };
  const operators = join(keysFolder, OPERATOR_KEYS_FILE);
  return {
    issuerKeys: await loadIssuerKeys(join(keysFolder, PUBLIC_KEYS_FILE)),
    operatorKeys: existsSync(operators) ? await loadIssuerKeys(operators) : undefined,
  };
}

/** The symbols that exchange-sim trades. */
export async function readSymbols(exchangeUrl: string): Promise<string[]> {
  return (await readExchange(exchangeUrl)).symbols.map(({ symbol }) => symbol);
}

/** Whether the simulated strategy opens again what orders have closed. */
export async function switchStrategy(exchangeUrl: string, enabled: boolean): Promise<void> {
  const response = await fetch(`${exchangeUrl}/sim/strategy`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ enabled }),
  });
  if (!response.ok) throw new Error(`exchange-sim answered ${response.status} to /sim/strategy`);
}

/** Enough for a state with tens of thousands of orders, on a busy machine. */
const ANSWER_MS = 30_000;

async function readExchange(exchangeUrl: string): Promise<z.infer<typeof exchangeState>> {
  const response = await fetch(`${exchangeUrl}/sim/state`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!response.ok) throw new Error(`exchange-sim answered ${response.status} to /sim/state`);
  return exchangeState.parse(await response.json());
}

async function readAmounts(
  symbols: readonly string[],
  read: (symbol: string) => Promise<string | null>,
): Promise<Map<string, string>> {
  const values = await Promise.all(symbols.map(read));
  return new Map(symbols.flatMap((symbol, index) => (values[index] ? [[symbol, values[index]]] : [])));
}

/** If all are asked for at once, the last of some 20,000 is answered after its command's deadline. */
const CLAIMS_AT_ONCE = 500;

async function readClaims(history: History, placeOf: (symbol: string) => Place): Promise<Map<string, Claim>> {
  const claims = new Map<string, Claim>();
  const symbols = [...new Map(history.executes.map(({ planId, symbol }) => [planId, symbol]))];
  for (let from = 0; from < symbols.length; from += CLAIMS_AT_ONCE) {
    const some = symbols.slice(from, from + CLAIMS_AT_ONCE);
    const read = await Promise.all(
      some.map(
        async ([planId, symbol]) => [planId, await readClaim(history, planId, placeOf(symbol))] as const,
      ),
    );
    for (const [planId, claim] of read) if (claim !== undefined) claims.set(planId, claim);
  }
  return claims;
}

async function readClaim(
  history: History,
  planId: string,
  { keys, redis }: Place,
): Promise<Claim | undefined> {
  // If a fault changed the key's type, it shows no claim.
  const hash = await redis.hgetall(keys.order(planId)).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return {};
    throw error;
  });
  const claim = parseRecordOrNone(
    orderRecord,
    hash,
    ["attempt", "state"],
    ["claimed_at_ms", "window_end_ms", "question"],
  );
  return (
    claim && {
      attempt: history.attemptOf(planId, claim.attempt),
      state: claim.state,
      claimedAtMs: claim.claimed_at_ms,
      windowEndMs: claim.window_end_ms,
      isQuestion: claim.question ?? false,
    }
  );
}
