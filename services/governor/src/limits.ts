/** `quantum:governor:limits`: what each symbol may use, for operators' screens. No decision reads it.
 * It is the same for all symbols, so it is kept once, in the account's partition. */
import { amountText, type Keys, TTL_SEC } from "@quantum/contract";
import { dropMistyped } from "@quantum/permits";
import { type RedisClient, redisNow } from "@quantum/redis";
import { every, type Logger } from "@quantum/service-kit";
import type { Rules } from "./decide.ts";

/** So that it is there again soon after Redis lost it, and an old value shows. */
const TELL_EVERY_MS = 30_000;

export interface LimitsOptions {
  redis: RedisClient;
  keys: Keys;
  rules: Rules;
  log: Pick<Logger, "warn">;
}

/** Until `begin` nothing is written. */
export function tellLimits(options: LimitsOptions) {
  let telling: { stop: () => Promise<void> } | undefined;
  return {
    begin: async () => {
      telling = every(
        TELL_EVERY_MS,
        () => writeLimits(options),
        (error) => options.log.warn({ err: error }, "operators cannot be told the limits"),
      );
    },
    stop: async () => {
      await telling?.stop();
    },
  };
}

export async function writeLimits({ redis, keys, rules }: Omit<LimitsOptions, "log">): Promise<void> {
  const { governorLimits: key } = keys;
  await dropMistyped(redis, [{ key, type: "hash" }]);
  await redis.hset(key, {
    executions_hour: String(rules.executionsPerHour),
    executions_5min: String(rules.executionsPer5Min),
    notional_day: amountText(String(rules.notionalPerDay)),
    qty_day: amountText(String(rules.qtyPerDay)),
    at_ms: String(redisNow(redis)),
  });
  await redis.expire(key, TTL_SEC.governorLimits);
}
