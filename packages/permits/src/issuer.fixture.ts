/** A real Redis for issuer tests, emptied before each test, with two connections and the governor's groups. */
import { createKeys, PythonFloat } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { keyspaceOf, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { type Amounts, type Answer, createIssuer, type Limit } from "./issue.ts";

export const SYMBOL = "BTCUSDT";
export const PLAN = "67e6da21fa9fe506";
export const OTHER_PLAN = "3f58da1bdb590b3b";
export const PERMIT_TTL_SEC = 60;
export const HOUR_MS = 3_600_000;
export const RESERVE_TTL_MS = 120_000;
const GROUP = "governor";

export const keys = createKeys();
export const reservations = keys.reservations("governor", SYMBOL);

let server: TestRedis;
export let redis: RedisClient;
/** Stands for another process. */
export let second: RedisClient;

export function useRedis(): void {
  beforeAll(async () => {
    server = await startRedisServer();
    const connect = (name: string) => connectForCommands({ url: server.url, name, onError: () => undefined });
    redis = connect("test");
    second = connect("test-second");
  });
  afterAll(async () => {
    await disconnect(redis);
    await disconnect(second);
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
    await createGroups();
  });
}

export async function createGroups(): Promise<void> {
  for (const stream of [keys.streams.plan, keys.streams.result]) {
    await redis.xgroup("CREATE", stream, GROUP, "0", "MKSTREAM");
  }
}

export const issuerOn = (client: RedisClient, issuer = "governor", layout = keys) =>
  createIssuer({
    redis: client,
    keys: layout,
    issuer,
    group: GROUP,
    permitTtlSec: PERMIT_TTL_SEC,
    denialTtlSec: HOUR_MS / 1000,
    reserveTtlMs: RESERVE_TTL_MS,
  });

export const issue = (answer: Answer, attempt: string, planId = PLAN) =>
  issuerOn(redis).issue({ planId, symbol: SYMBOL, attempt }, answer);

/** A limit that no test reaches, so that executions are counted. */
const HOURLY: Limit = { kind: "count", reason: "hourly", window_ms: HOUR_MS, max: 1_000 };

export const granted = (amounts: Amounts = { qty: 5n }, limits: readonly Limit[] = [HOURLY]): Answer => ({
  verdict: "granted",
  reason: "within_limits",
  permit: { decision: "EXECUTE", computed_qty: new PythonFloat(0.0015), consumed: false },
  reservation: { amounts, limits },
});
export const denied: Answer = { verdict: "denied", reason: "no_position", context: { amt: 0 } };

/**
 * Publishes an `apply.plan` entry and delivers it to the group.
 * @returns its id, which is the attempt
 */
export async function publish(planId = PLAN, { record = true, id = "*" } = {}): Promise<string> {
  const attempt = await deliver(keys.streams.plan, planId, id);
  // Our opening script removes the traces of an earlier attempt; the Python apply-layer does not.
  if (record)
    await redis.del(keys.plan(planId), keys.permit("governor", planId), keys.block("governor", planId));
  if (record) await redis.hset(keys.plan(planId), { state: "WAITING", attempt, symbol: SYMBOL });
  return attempt;
}

/**
 * Publishes an `apply.result` entry and delivers it to the group.
 * @returns its id
 */
export const publishResult = (planId = PLAN) => deliver(keys.streams.result, planId);

async function deliver(stream: string, planId: string, id = "*"): Promise<string> {
  const entryId = (await redis.xadd(stream, id, "plan_id", planId)) ?? "";
  await deliverAll(stream);
  return entryId;
}

export const deliverAll = (stream: string) =>
  redis.xreadgroup("GROUP", GROUP, "consumer", "STREAMS", stream, ">");

/** Publishes a plan and grants it. @returns the attempt */
export async function grant(planId = PLAN, amounts?: Amounts, { record = true } = {}): Promise<string> {
  const attempt = await publish(planId, { record });
  const { kind } = await issue(granted(amounts), attempt, planId);
  if (kind !== "granted") throw new Error(`plan ${planId} was not granted: ${kind}`);
  return attempt;
}

export async function pendingEntries(stream: string): Promise<number> {
  const [count] = (await redis.xpending(stream, GROUP)) as [number];
  return count;
}

export const total = async (field: string) => Number(await redis.hget(reservations.totals, field));

/** Everything in Redis, for comparison. */
export const keyspace = () => keyspaceOf(redis);
