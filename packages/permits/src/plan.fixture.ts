/** A waiting plan on its own Redis, for the tests of consume and wait. */
import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect } from "@quantum/redis";
import { keyspaceOf, startRedisServer } from "@quantum/harness";
import { type ConsumeOptions, createConsume } from "./consume.ts";

export const keys = createKeys();
export const PLAN = "67e6da21fa9fe506";
export const SYMBOL = "BTCUSDT";
export const ATTEMPT = "1769301008977-0";
export const EXECUTE_TTL_MS = 5_000;
export const GRACE_MS = 100;
/** Longer than any test, for a plan that must not reach its deadline. */
export const FAR_MS = 60_000;

/** In the form that the Python issuers write. */
export const GOVERNOR = { granted: true, symbol: SYMBOL, decision: "EXECUTE", computed_qty: 0 };
export const P33 = { allow: true, symbol: SYMBOL, safe_close_qty: 0.008, exchange_position_amt: 0.011 };

export async function startPlans() {
  const server = await startRedisServer();
  const connect = () => connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  const redis = connect();

  async function entries(stream: string): Promise<Record<string, string>[]> {
    const raw = await redis.xrange(stream, "-", "+");
    return raw.map(([, flat]) =>
      Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""]] : []))),
    );
  }

  return {
    server,
    redis,
    connect,
    stop: async () => {
      await disconnect(redis);
      await server.stop();
    },

    consumer: (options: Partial<ConsumeOptions> = {}) =>
      createConsume({
        redis,
        keys,
        required: ["governor", "p33"],
        executeTtlMs: EXECUTE_TTL_MS,
        graceMs: GRACE_MS,
        halted: false,
        ...options,
      }),

    /** A plan as `open` leaves it, `remainingMs` before its deadline. `aheadMs`: opened this far in the future. */
    async givenPlan(remainingMs: number, { planId = PLAN, mode = "paper", aheadMs = 0 } = {}): Promise<void> {
      const now = Date.now() + aheadMs;
      const deadline = now + remainingMs;
      await redis
        .pipeline()
        .hset(keys.plan(planId), { state: "WAITING", symbol: SYMBOL, mode, step: "CLOSE_FULL" })
        .hset(keys.plan(planId), { close_pct: "100", attempt: ATTEMPT, attempt_no: 1 })
        .hset(keys.plan(planId), { opened_at_ms: now, deadline_ms: deadline })
        .zadd(keys.waiting(SYMBOL), deadline, planId)
        .exec();
    },

    /** Writes permits like an issuer that only sets keys. Text is written as is, anything else as JSON. */
    async givenPermits(permits: Record<string, unknown> = { governor: GOVERNOR, p33: P33 }, planId = PLAN) {
      for (const [issuer, permit] of Object.entries(permits)) {
        const text = typeof permit === "string" ? permit : JSON.stringify(permit);
        await redis.setex(keys.permit(issuer, planId), 60, text);
      }
    },

    keyspace: () => keyspaceOf(redis),

    executes: () => entries(keys.streams.execute),
    results: () => entries(keys.streams.result),
    permitsLeft: (issuers = ["governor", "p33"], planId = PLAN) =>
      redis.exists(...issuers.map((issuer) => keys.permit(issuer, planId))),
  };
}
