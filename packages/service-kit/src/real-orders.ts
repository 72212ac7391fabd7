/** What Redis must provide before a service takes part in real orders. */
import { notDurable, notReplacedInTime, readFailover } from "@quantum/redis";
import { ConfigError } from "./config.ts";
import { saidOnce } from "./partition-sentences.ts";
import type { Partitions } from "./partitions.ts";
import type { RedisContext, UsablePartition } from "./redis-service.ts";

/**
 * For real orders, refuses a Redis that may forget a claim or a spent permit, or whose lost master is not replaced in time, and waits
 * until the clocks agree. For simulated orders, only warns about the first.
 * @throws {@link ConfigError}
 */
export async function admitRealOrders(
  { partitions, log, clocksAgree }: Pick<RedisContext<unknown>, "partitions" | "log" | "clocksAgree">,
  areReal: boolean,
): Promise<void> {
  const problems = saidOnce(partitions.map(({ facts }) => notDurable(facts)));
  if (areReal) {
    const refused = [...problems, ...(await lateFailovers(partitions))];
    if (refused.length > 0)
      throw new ConfigError(refused.map((problem) => `REDIS_URL is refused for real orders: ${problem}`));
    await clocksAgree();
  } else if (problems.length > 0) {
    log.warn({ problems }, "this Redis may forget claims; for real orders it would be refused");
  }
}

async function lateFailovers(partitions: Partitions<UsablePartition>): Promise<string[]> {
  const { account } = partitions;
  // Behind Sentinels there is one master for all.
  const shared = account.facts.ledBy === "cluster" ? undefined : await readFailover(account.redis);
  const late = partitions.map(async ({ redis, facts }) => {
    return notReplacedInTime(shared ?? (await readFailover(redis)), facts);
  });
  return saidOnce(await Promise.all(late));
}
