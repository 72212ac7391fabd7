/** A real Redis for governor tests. Before each test it holds only the groups and a position of 0.004 at 100,000. */
import { createKeys } from "@quantum/contract";
import { type HandlersOptions, IssuerHandlers } from "@quantum/issuer";
import { createIssuer } from "@quantum/permits";
import { connectForCommands, disconnect, type RedisClient, redisNow } from "@quantum/redis";
import { type Entry, fieldsOf } from "@quantum/streams";
import { Partitions } from "@quantum/service-kit";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { Rules } from "./decide.ts";
import { Governor, type GovernorEvents, type GovernorOptions } from "./handler.ts";

export const SYMBOL = "BTCUSDT";
const CLOSE = '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]';
export const UPDATE_SL = '[{"step": "UPDATE_SL", "type": "stop_loss_order", "price": 101.5}]';
export const keys = createKeys();
export const reservations = keys.reservations("governor", SYMBOL);
/** Limits that no test reaches unless it sets its own. */
export const RULES: Rules = {
  killScoreCritical: 0.8,
  executionsPerHour: 100,
  executionsPer5Min: 100,
  notionalPerDay: 10n ** 30n,
  qtyPerDay: 10n ** 30n,
};

let server: TestRedis;
export let redis: RedisClient;
let plans = 0;

export const connect = () =>
  connectForCommands({ url: server.url, name: "governor-test", onError: () => undefined });

export function useRedis(): void {
  beforeAll(async () => {
    server = await startRedisServer();
    redis = connect();
  });
  afterAll(async () => {
    await disconnect(redis);
    await server.stop();
  });
  beforeEach(reset);
}

export async function reset(): Promise<void> {
  await redis.flushall();
  for (const stream of [keys.streams.plan, keys.streams.result])
    await redis.xgroup("CREATE", stream, "governor", "0", "MKSTREAM");
  const ts_epoch = String(Date.now() / 1000);
  await redis.hset(keys.snapshot(SYMBOL), { position_amt: "0.004", mark_price: "100000", ts_epoch });
}

export const issuerOn = (client: RedisClient) =>
  createIssuer({
    redis: client,
    keys,
    issuer: "governor",
    group: "governor",
    permitTtlSec: 60,
    denialTtlSec: 3_600,
    reserveTtlMs: 120_000,
  });

/** Runs the governor's policy. */
export function governorWith({
  redis: client = redis,
  ...options
}: Partial<GovernorOptions & Pick<HandlersOptions, "issuer" | "simulate"> & { redis: RedisClient }> = {}) {
  const policy = new Governor({
    partitions: new Partitions([
      { number: 0, name: "", keys, redis: client, connectForBlocking: () => client },
    ]),
    rules: RULES,
    disarmOn: { burstBreach: true, errors: 2 },
    ...options,
  });
  const governor = new IssuerHandlers({
    issuer: issuerOn(redis),
    simulate: async () => "answer",
    owns: () => true,
    now: () => redisNow(client),
    policy,
    ...options,
  });
  const disarms: GovernorEvents["disarmed"][0][] = [];
  policy.on("disarmed", (disarm) => disarms.push(disarm));
  return { governor, disarms };
}
export const burstOf = (executionsPer5Min: number) => ({ rules: { ...RULES, executionsPer5Min } });

async function deliver(stream: string, fields: Record<string, string>, at = "*"): Promise<Entry> {
  await redis.xadd(stream, at, ...Object.entries(fields).flat());
  const reply = (await redis.xreadgroup("GROUP", "governor", "consumer", "STREAMS", stream, ">")) as
    | [string, [string, string[]][]][]
    | null;
  const [id, flat] = reply?.[0]?.[1][0] ?? ["", []];
  return { id, fields: fieldsOf(flat), deliveries: 1 };
}

/** In the form that the Python apply-layer publishes: without our fields or a record. */
export const publishPlan = ({ steps = CLOSE, ...fields }: Record<string, string> = {}) =>
  deliver(keys.streams.plan, {
    plan_id: (plans += 1).toString(16).padStart(16, "0"),
    symbol: SYMBOL,
    action: steps === UPDATE_SL ? "UPDATE_SL" : "PARTIAL_75",
    kill_score: "0.5",
    new_sl_proposed: "",
    decision: "EXECUTE",
    reason_codes: "",
    steps,
    ...fields,
  });

/** In the form that the Python apply-layer publishes. */
export const publishResult = (plan: Entry, fields: Record<string, string> = {}, id?: string) =>
  deliver(
    keys.streams.result,
    {
      plan_id: planIdOf(plan),
      symbol: SYMBOL,
      decision: "EXECUTE",
      executed: "False",
      would_execute: "False",
      steps_results: "[]",
      error: "",
      timestamp: String(Math.floor(Date.now() / 1000)),
      ...fields,
    },
    id,
  );
/** A result's steps, in Python's form for steps that name no order. */
export const stepsOf = (...statuses: string[]) =>
  JSON.stringify(statuses.map((status) => ({ step: "CLOSE_PARTIAL_75", status, details: "…" })));
export const ORDER = {
  executed: "True",
  steps_results:
    '[{"step": "CLOSE_PARTIAL_75", "status": "success", "order_id": "1", "executed_qty": "0.003"}]',
};
export const DRY_RUN = { would_execute: "True", steps_results: stepsOf("would_execute") };

export const planIdOf = ({ fields }: Entry) => fields["plan_id"] ?? "";
export const permitOf = (plan: Entry) => redis.get(keys.permit("governor", planIdOf(plan)));
export const blockOf = async (plan: Entry) =>
  JSON.parse((await redis.get(keys.block("governor", planIdOf(plan)))) ?? "null") as {
    reason: string;
  } | null;
export const bookedOf = (plan: Entry) => redis.get(keys.booked("governor", planIdOf(plan)));
export const pendingEntries = async (stream: string) =>
  ((await redis.xpending(stream, "governor")) as [number])[0];

/** What the limits count. */
export async function sums() {
  const { totals, open, executions } = reservations;
  const { "charged:qty": charged = "0", "reserved:qty": reserved = "0" } = await redis.hgetall(totals);
  return { charged, reserved, open: await redis.hlen(open), executions: await redis.zcard(executions) };
}
export const NOTHING = { charged: "0", reserved: "0", open: 0, executions: 0 };
