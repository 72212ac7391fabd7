/** P3.3's handlers on the rig, with plans and results to handle. */
import { IssuerHandlers } from "@quantum/issuer";
import { createIssuer } from "@quantum/permits";
import { redisNow } from "@quantum/redis";
import { type Entry, fieldsOf } from "@quantum/streams";
import { afterEach, beforeEach } from "vitest";
import type { Limits } from "./decide.ts";
import { type BrainOptions, PositionBrain } from "./handler.ts";
import type { PairStore } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";
import { keys, planFields, resultFields, type Rig, startRig } from "./rig.fixture.ts";

export const GROUP = "p33";
const PLANS = ["0000000000000001", "0000000000000002", "0000000000000003"] as const;
export const [PLAN, SECOND, THIRD] = PLANS;
export const CLOSE_ALL =
  '[{"step": "CLOSE_FULL", "type": "market_reduce_only", "side": "close", "pct": 100.0}]';

export let rig: Rig;
export let refresh: PairRefresh;

beforeEach(async () => {
  rig = await startRig();
  for (const stream of [keys.streams.plan, keys.streams.result]) {
    await rig.redis.xgroup("CREATE", stream, GROUP, "0", "MKSTREAM");
  }
  refresh = rig.refresher();
  await refresh.all();
});
afterEach(async () => {
  refresh.stop();
  await rig.stop();
});

/** The status of every symbol, and how often the rules were read again. */
export const venue = { status: "TRADING", rulesReadAgain: 0 };

/** Without a stream, no events bring fills into the pairs. */
const NO_EVENTS: BrainOptions["booked"] = {
  include: async () => false,
  changed: () => Promise.withResolvers<void>().promise,
};

export async function brainOf(
  over: Partial<Limits> = {},
  simulate: "answer" | "deny" | "drop" = "answer",
  pairs: PairStore = rig.pairs,
  booked: BrainOptions["booked"] = NO_EVENTS,
): Promise<IssuerHandlers> {
  const rules = await rig.exchange.rules();
  const issuer = createIssuer({
    redis: rig.redis,
    keys,
    issuer: GROUP,
    group: GROUP,
    permitTtlSec: 60,
    denialTtlSec: 60,
    reserveTtlMs: 75_000,
  });
  const policy = new PositionBrain({
    pairs,
    refresh,
    exchange: rig.exchange,
    booked,
    rules: (symbol) => {
      const listed = rules.get(symbol);
      return listed && { ...listed, status: venue.status };
    },
    readRulesAgain: () => void (venue.rulesReadAgain += 1),
    limits: {
      allowlist: new Set(["BTCUSDT", "ETHUSDT"]),
      staleThresholdSec: 10,
      cooldownSec: 0,
      qtyTolerancePct: 1,
      ...over,
    },
  });
  return new IssuerHandlers({
    issuer,
    policy,
    simulate: async () => simulate,
    owns: () => true,
    now: () => redisNow(rig.redis),
  });
}

/** Publishes an entry and receives it like the group's consumer. */
export async function deliver(stream: string, fields: string[], at = "*"): Promise<Entry> {
  const id = await rig.redis.xadd(stream, at, ...fields);
  await rig.redis.xreadgroup("GROUP", GROUP, "test", "COUNT", 1, "STREAMS", stream, ">");
  return { id: id ?? "", fields: fieldsOf(fields), deliveries: 1 };
}

/** A plan whose record leaves little time, so that a denial because of a reservation comes quickly. */
export async function plan(
  planId: string,
  symbol: string,
  more: Record<string, string> = {},
): Promise<Entry> {
  const deadline_ms = String(Date.now() + 400);
  const entry = await deliver(keys.streams.plan, planFields(planId, symbol, { deadline_ms, ...more }));
  await rig.redis.hset(keys.plan(planId), "state", "WAITING", "attempt", entry.id);
  return entry;
}

export const result = (planId: string, attempt: string, more: Record<string, string> = {}) =>
  deliver(keys.streams.result, resultFields(planId, "BTCUSDT", { attempt, ...more }));

export const permit = async (planId: string): Promise<Record<string, unknown> | undefined> => {
  const text = await rig.redis.get(keys.permit(GROUP, planId));
  return text === null ? undefined : (JSON.parse(text) as Record<string, unknown>);
};
export const pending = async (stream: string) => ((await rig.redis.xpending(stream, GROUP)) as [number])[0];
export const reserved = async () => (await rig.pairs.state("BTCUSDT")).reservedUnits;
