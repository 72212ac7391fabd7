/** What Redis must provide before a service takes part in real orders. */
import { notDurable } from "@quantum/redis";
import { ConfigError } from "./config.ts";
import { saidOnce } from "./partition-sentences.ts";
import type { RedisContext } from "./redis-service.ts";

/**
 * For real orders, refuses a Redis that may forget a claim or a spent permit, and waits until the clocks agree. For
 * simulated orders, only warns about the former.
 * @throws {@link ConfigError}
 */
export async function admitRealOrders(
  { partitions, log, clocksAgree }: Pick<RedisContext<unknown>, "partitions" | "log" | "clocksAgree">,
  areReal: boolean,
): Promise<void> {
  const problems = saidOnce(partitions.map(({ facts }) => notDurable(facts)));
  if (areReal) {
    if (problems.length > 0)
      throw new ConfigError(problems.map((problem) => `REDIS_URL is refused for real orders: ${problem}`));
    await clocksAgree();
  } else if (problems.length > 0) {
    log.warn({ problems }, "this Redis may forget claims; for real orders it would be refused");
  }
}
