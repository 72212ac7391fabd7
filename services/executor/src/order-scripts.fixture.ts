/** For tests of the typed wrappers of lua/orders: a Redis with a plan whose permits are spent. */
import { createKeys, executeEntry } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { keyspaceOf, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { Settlement } from "./decide.ts";
import { createEvents } from "./events.ts";
import { type ClaimRequest, createOrders, type Orders } from "./orders.ts";

export const PLAN = "0123456789abcdef";
/** Scripts read it byte by byte. */
export const SYMBOL = "币安人生USDT";
export const ATTEMPT = "1700000000000-0";
export const GROUP = "executor";
export const OWNER = "executor-1";
export const WINDOW_MS = 5000;
/** Far from any real clock, to distinguish venue time from Redis's. */
export const VENUE_MS = 1_000_000;

export const keys = createKeys();
export const { execute: executes, result: results } = keys.streams;
let server: TestRedis;
export let redis: RedisClient;
export let second: RedisClient;
export let orders: Orders;
export let events: string[];
export let entryId: string;

export function useRedis(): void {
  beforeAll(async () => {
    server = await startRedisServer();
    const connect = (name: string) => connectForCommands({ url: server.url, name, onError: () => undefined });
    redis = connect("one");
    second = connect("two");
  });
  afterAll(async () => {
    await disconnect(redis);
    await disconnect(second);
    await server.stop();
  });

  /** A plan with spent permits and an entry that was delivered but not acknowledged. */
  beforeEach(async () => {
    await redis.flushall();
    await redis.script("FLUSH");
    orders = ordersOn(redis);
    await redis.hset(keys.orderOwner, { instance: OWNER, since_ms: "1", seen_ms: "1" });
    await redis.set(keys.spent(PLAN), `OK ${ATTEMPT} 1700000000000 0.01`);
    await redis.hset(keys.plan(PLAN), { state: "PERMITTED", symbol: SYMBOL, attempt: ATTEMPT });
    await redis.xgroup("CREATE", executes, GROUP, "0", "MKSTREAM");
    entryId = (await redis.xadd(executes, "*", "plan_id", PLAN)) ?? "";
    await redis.xreadgroup("GROUP", GROUP, "c", "COUNT", 1, "STREAMS", executes, ">");
  });
}

/** The permits were spent for this entry; without it, `spent` is as earlier versions wrote it. */
export async function spentFor(entryId: string): Promise<void> {
  await redis.set(
    keys.spent(PLAN),
    `OK ${ATTEMPT} 1700000000000 0.01 ${entryId} ${SYMBOL}\n["attempt","${ATTEMPT}"]`,
  );
}

export function ordersOn(client: RedisClient, layout = keys): Orders {
  const emitter = createEvents();
  events = [];
  for (const name of ["refused", "settled", "doubted"] as const)
    emitter.on(name, () => void events.push(name));
  return createOrders({ redis: client, keys: layout, group: GROUP, instance: OWNER, events: emitter });
}

export async function requestOf(
  over: Partial<ClaimRequest> & { validForMs?: number } = {},
): Promise<ClaimRequest> {
  const [seconds] = await redis.time();
  const validUntil = Number(seconds) * 1000 + (over.validForMs ?? 60_000);
  return {
    entryId,
    entry: executeEntry.parse({
      plan_id: PLAN,
      symbol: SYMBOL,
      attempt: ATTEMPT,
      attempt_no: "1",
      step: "CLOSE_FULL",
      close_pct: "100.0",
      position_amt: "0.01",
      safe_qty: "0.01",
      max_qty: "",
      valid_until_ms: String(validUntil),
      opened_at_ms: "1",
      mode: "paper",
    }),
    intent: { side: "SELL", quantity: "0.010" },
    clientOrderId: `qp-${PLAN}-1`,
    venueMs: VENUE_MS,
    windowMs: WINDOW_MS,
    refusal: "",
    detail: "",
    isVerified: true,
    signatures: {},
    ...over,
  };
}

export const ORDER = {
  planId: PLAN,
  symbol: SYMBOL,
  step: "CLOSE_FULL",
  attempt: ATTEMPT,
  clientOrderId: `qp-${PLAN}-1`,
  side: "SELL" as const,
  quantity: "0.010",
  get entryId() {
    return entryId;
  },
};
export const EXECUTED: Settlement = {
  outcome: "EXECUTED",
  reason: "",
  detail: "",
  orderId: "8389765519826112345",
  executedQty: "0.010",
  avgPrice: "105000.10",
};
export const NOT_PLACED: Settlement = {
  outcome: "NOT_PLACED",
  reason: "not_placed_by_evidence",
  detail: "",
  orderId: "",
  executedQty: "",
  avgPrice: "",
};

export const pending = async () => (await redis.xpending(executes, GROUP, "-", "+", 10)).length;
export const resultCount = () => redis.xlen(results);
export const orderHash = () => redis.hgetall(keys.order(PLAN));
export const planHash = () => redis.hgetall(keys.plan(PLAN));

export async function unchanged(action: () => Promise<unknown>): Promise<void> {
  const before = await keyspaceOf(redis);
  await action();
  expect(await keyspaceOf(redis)).toEqual(before);
}

export async function wrongType(key: string): Promise<void> {
  await redis.del(key);
  await redis.lpush(key, "not yours");
}
