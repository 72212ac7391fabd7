/** Waits for Redis at the start. Temporary problems are waited for; permanent ones end the start. */
import { setTimeout as delay } from "node:timers/promises";
import { neededCommands } from "@quantum/contract";
import {
  dispositionOf,
  missingRights,
  notReadable,
  readFacts,
  type RedisClient,
  type RedisFacts,
  unusable,
  waitsFor,
} from "@quantum/redis";
import type { Logger } from "pino";
import { ConfigError } from "./config.ts";
import { type RedisConfig, redisVariable } from "./redis-config.ts";
import { refusal } from "./redis-readiness.ts";

const REDIS_RETRY_MS = 1_000;
/**
 * Waits for Redis to become usable, and reports what it waits for.
 * @throws {@link ConfigError} for a permanent problem, naming the variable
 */
export async function waitForRedis(
  redis: RedisClient,
  config: RedisConfig,
  { name, log, waiting }: { name: string; log: Logger; waiting: (what: string | undefined) => void },
): Promise<RedisFacts> {
  for (;;) {
    try {
      const facts = await readFacts(redis);
      const problems = unusable(facts);
      if (problems.length > 0)
        throw new ConfigError(problems.map((problem) => `${redisVariable(config, "server")}: ${problem}`));
      const state = waitsFor(facts);
      if (state === undefined) {
        await refuseMissingRights(redis, config, name);
        const missing = notReadable(facts);
        if (missing.length > 0) log.warn({ missing }, "Redis does not tell everything about itself");
        waiting(undefined);
        return facts;
      }
      waiting(`Redis: ${state}`);
      log.warn({ state }, "waiting for Redis");
    } catch (error) {
      // The command's own error may only say that the connection failed.
      const cause = redis.problem ?? error;
      const refused = error instanceof ConfigError ? error : refusedBy(cause, config);
      if (refused !== undefined) throw refused;
      const disposition = dispositionOf(cause);
      waiting(
        `Redis: ${disposition.kind === "passes" ? `${disposition.meaning}: ` : ""}${(cause as Error).message}`,
      );
      log.warn({ err: cause }, "waiting for Redis");
    }
    await delay(REDIS_RETRY_MS);
  }
}

/** Far fewer than may be missing show which user this is. */
const SHOWN_RIGHTS = 3;

/** Before any work: a right that is missing later would stop a plan half-way. */
async function refuseMissingRights(redis: RedisClient, config: RedisConfig, service: string): Promise<void> {
  const missing = await missingRights(redis, neededCommands(service));
  if (missing.length === 0) return;
  const more = missing.length - SHOWN_RIGHTS;
  const shown = `${missing.slice(0, SHOWN_RIGHTS).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  throw new ConfigError([
    `${redisVariable(config, "rights")}: this Redis user may not do what ${service} does: ${shown}`,
  ]);
}

export function refusedBy(error: unknown, config: RedisConfig): ConfigError | undefined {
  const disposition = dispositionOf(error);
  return disposition.kind === "refused"
    ? new ConfigError([refusal(disposition, error as Error, config)])
    : undefined;
}
