/** Finds waiting plans that this process does not watch: after a restart, or when another replica died. */
import { type Keys, WAIT_BUDGET_MAX_MS } from "@quantum/contract";
import { beginAnew, type PermitWait } from "@quantum/permits";
import { type RedisClient, redisNow } from "@quantum/redis";

/** Plans taken up in one sweep and symbol; the rest waits for the next one. */
const SWEPT_PLANS_MAX = 500;

interface SweepOptions {
  redis: RedisClient;
  keys: Keys;
  wait: PermitWait;
}

/**
 * @returns one sweep: plans past their deadline, and those whose deadline is further away than anybody may wait, since
 * Redis's clock has stepped back; or (`all`, at start) every waiting plan, since the wake-ups that a former process had
 * been given are gone. What is tried is decided by the script.
 */
export function createSweep({ redis, keys, wait }: SweepOptions) {
  return async ({ all }: { all: boolean }): Promise<void> => {
    // Not this process's lists: a plan waits on although its symbol has been taken off them.
    await beginAnew(redis, [{ key: keys.waitingSymbols, type: "set" }]);
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
    // One of the wrong type keeps its plans from ending; who was in it is known from their entries.
    const mistyped = found.filter(({ error }) => error?.message.startsWith("WRONGTYPE"));
    const indexes = mistyped.map(({ symbol }) => ({ key: keys.waiting(symbol), type: "zset" as const }));
    await beginAnew(redis, indexes);
    // Only now: one symbol that cannot be read must not keep the others' plans waiting.
    const failure = found.find(({ error }) => error !== null);
    if (failure?.error) throw failure.error;
  };
}
