/** A private Redis with the Lua scripts, for the tests of opening and spending. */
import { createKeys, parseProposal, type Proposal } from "@quantum/contract";
import { createConsume } from "@quantum/permits";
import { connectForCommands, disconnect } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { keyspaceOf, startRedisServer } from "@quantum/harness";
import { createOpen, type OpenOptions } from "./open.ts";

export const keys = createKeys();
export const SYMBOL = "BTCUSDT";
export const REQUIRED = ["governor", "p33"];
/** Longer than any test, so a plan only reaches its deadline if a test moves it. */
export const WAIT_MS = 60_000;
export const DEDUPE_TTL_SEC = 21_600;
/** Also longer than any test. */
export const GRACE_MS = 60_000;

/** In the form that the Python issuers write. */
export const PERMITS: Record<string, object> = {
  governor: { granted: true, symbol: SYMBOL, decision: "EXECUTE", computed_qty: 0 },
  p33: { allow: true, symbol: SYMBOL, safe_close_qty: 0.008, exchange_position_amt: 0.011 },
};

/** A proposal as it is in the stream, and its plan. */
export const FIELDS = {
  harvest_action: "PARTIAL_75",
  kill_score: "0.5273976547718264",
  new_sl_proposed: "100.2",
  R_net: "7.013614233516237",
  k_regime_flip: "0.0",
  k_sigma_spike: "0.13983999999999996",
  k_ts_drop: "1e-05",
  k_age_penalty: "0.041666666666666664",
  computed_at_utc: "2026-01-22T23:20:48.373980",
};
export const PLAN = "cc13b4be14719eae";

export function proposalFrom(fields: Record<string, string> = FIELDS, symbol = SYMBOL): Proposal {
  const parsed = parseProposal(symbol, fields);
  if (!parsed.ok) throw new Error(parsed.problems.join("; "));
  return parsed.proposal;
}

export async function startScriptRig() {
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  return {
    server,
    redis,
    stop: async () => {
      await disconnect(redis);
      await server.stop();
    },
    opener: (options: Partial<OpenOptions> = {}) =>
      createOpen({
        redis,
        keys,
        required: REQUIRED,
        mode: "paper",
        waitMs: WAIT_MS,
        dedupeTtlSec: DEDUPE_TTL_SEC,
        ...options,
      }),
    consumer: () =>
      createConsume({
        redis,
        keys,
        required: REQUIRED,
        executeTtlMs: 5_000,
        graceMs: GRACE_MS,
        halted: false,
      }),

    givePermits: async (planId = PLAN) => {
      for (const issuer of REQUIRED)
        await redis.setex(keys.permit(issuer, planId), 60, JSON.stringify(PERMITS[issuer]));
    },

    /** `redis-cli --scan --pattern "quantum:apply:*" | xargs redis-cli DEL` */
    operatorsReset: async () => {
      const found = await redis.keys("quantum:apply:*");
      if (found.length > 0) await redis.del(found);
    },

    entries: async (stream: string): Promise<Record<string, string>[]> =>
      (await redis.xrange(stream, "-", "+")).map(([, flat]) => fieldsOf(flat)),

    /** Excludes the sweep's index of symbols, which is separate from the scripts' keys and only grows. */
    keyspace: async (): Promise<Record<string, string>> => {
      const { [keys.waitingSymbols]: _, ...all } = await keyspaceOf(redis);
      return all;
    },
  };
}
