/** Finds waiting plans that this process does not watch, after a restart or another replica's death. */
import { type Keys, WAIT_BUDGET_MAX_MS } from "@quantum/contract";
import { dropMistyped, type PermitWait } from "@quantum/permits";
import { type RedisClient, redisNow } from "@quantum/redis";

/** Plans swept per symbol and sweep. The rest waits for the next sweep. */
const SWEPT_PLANS_MAX = 500;

interface SweepOptions {
  redis: RedisClient;
  keys: Keys;
  wait: PermitWait;
}

/**
 * @returns a sweep, which tries plans past their deadline, and plans whose deadline is impossibly far away because
 * Redis's clock has stepped back. With `all`, used at start, it tries every waiting plan, because the wake-ups
 * delivered to a previous process are lost. The script decides what happens to each plan.
 */
export function createSweep({ redis, keys, wait }: SweepOptions) {
  return async ({ all }: { all: boolean }): Promise<void> => {
    // Uses Redis's list of symbols, because a plan still waits after its symbol was removed from the configuration.
    await dropMistyped(redis, [{ key: keys.waitingSymbols, type: "set" }]);
    const symbols = await redis.smembers(keys.waitingSymbols);
    const nowMs = redisNow(redis);
    const ranges: [min: string | number, max: string | number][] = all
      ? [["-inf", "+inf"]]
      : [
          ["-inf", nowMs],
          [nowMs + WAIT_BUDGET_MAX_MS, "+inf"],
        ];
    const pipeline = redis.pipeline();
    const asked = symbols.flatMap((symbol) => ranges.map((range) => ({ symbol, range })));
    for (const {
      symbol,
      range: [min, max],
    } of asked)
      pipeline.zrangebyscore(keys.waiting(symbol), min, max, "LIMIT", 0, SWEPT_PLANS_MAX);
    const replies = (await pipeline.exec()) ?? [];
    const found = asked.map(({ symbol }, index) => {
      const [error, planIds] = replies[index] ?? [null, []];
      return { symbol, error, planIds: error === null ? (planIds as string[]) : [] };
    });
    await Promise.all(
      found.flatMap(({ symbol, planIds }) => planIds.map((planId) => wait.wake(planId, symbol))),
    );
    // An index of the wrong type keeps its plans from ending. It is deleted; the plans are found through their entries.
    const mistyped = found.filter(({ error }) => error?.message.startsWith("WRONGTYPE"));
    const indexes = mistyped.map(({ symbol }) => ({ key: keys.waiting(symbol), type: "zset" as const }));
    await dropMistyped(redis, indexes);
    // Throw last: a symbol that cannot be read must not delay the plans of others.
    const failure = found.find(({ error }) => error !== null);
    if (failure?.error) throw failure.error;
  };
}
