/** Waits for Redis at the start, which may be several servers. Temporary problems are waited for; permanent ones end the start. */
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
import { saidOnce } from "./partition-sentences.ts";
import type { Partitions } from "./partitions.ts";
import { type RedisConfig, redisVariable } from "./redis-config.ts";
import { refusal } from "./redis-readiness.ts";

const REDIS_RETRY_MS = 1_000;

/** What one look at a partition's server finds. */
interface Look {
  facts?: RedisFacts;
  /** Permanent. */
  refused: readonly string[];
  /** What is waited for. */
  waits: readonly string[];
  /** What a service does without. */
  missing: readonly string[];
  /** Why it could not be looked at. */
  error?: Error;
}

/**
 * Waits for the servers of all partitions to become usable, and reports what it waits for.
 * @returns what they are, in the order of the partitions
 * @throws {@link ConfigError} for a permanent problem, naming the variable
 */
export async function waitForRedis(
  partitions: Partitions,
  config: RedisConfig,
  { name, log, waiting }: { name: string; log: Logger; waiting: (what: string | undefined) => void },
): Promise<RedisFacts[]> {
  const needed = neededCommands(name, partitions.all.length);
  for (;;) {
    const looks = await Promise.all(partitions.map(({ redis }) => look(redis, config, { name, needed })));
    const refused = saidOnce(looks.map((found) => found.refused));
    if (refused.length > 0) throw new ConfigError(refused);
    const waits = saidOnce(looks.map((found) => found.waits));
    const facts = looks.flatMap((found) => found.facts ?? []);
    if (waits.length === 0) {
      const missing = saidOnce(looks.map((found) => found.missing));
      if (missing.length > 0) log.warn({ missing }, "Redis does not tell everything about itself");
      waiting(undefined);
      return facts;
    }
    waiting(waits.map((what) => `Redis: ${what}`).join("; "));
    const err = looks.find(({ error }) => error !== undefined)?.error;
    log.warn(err === undefined ? { state: waits.join("; ") } : { err }, "waiting for Redis");
    await delay(REDIS_RETRY_MS);
  }
}

async function look(
  redis: RedisClient,
  config: RedisConfig,
  { name, needed }: { name: string; needed: readonly string[][] },
): Promise<Look> {
  const nothing: Look = { refused: [], waits: [], missing: [] };
  try {
    const facts = await readFacts(redis);
    const problems = unusable(facts);
    if (problems.length > 0)
      return {
        ...nothing,
        refused: problems.map((problem) => `${redisVariable(config, "server")}: ${problem}`),
      };
    const state = waitsFor(facts);
    if (state !== undefined) return { ...nothing, waits: [state] };
    const rights = await missingRights(redis, needed);
    if (rights.length > 0) return { ...nothing, refused: [lackOfRights(rights, config, name)] };
    return { ...nothing, facts, missing: notReadable(facts) };
  } catch (error) {
    // The command's own error may only say that the connection failed.
    const cause = redis.problem ?? (error as Error);
    const refused = refusedBy(cause, config);
    if (refused !== undefined) return { ...nothing, refused: refused.violations };
    const disposition = dispositionOf(cause);
    const meaning = disposition.kind === "passes" ? `${disposition.meaning}: ` : "";
    return { ...nothing, waits: [`${meaning}${cause.message}`], error: cause };
  }
}

/** Far fewer than may be missing show which user this is. */
const SHOWN_RIGHTS = 3;

/** A reason not to begin: a right that is missing later would stop a plan half-way. */
function lackOfRights(missing: readonly string[], config: RedisConfig, service: string): string {
  const more = missing.length - SHOWN_RIGHTS;
  const shown = `${missing.slice(0, SHOWN_RIGHTS).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  return `${redisVariable(config, "rights")}: this Redis user may not do what ${service} does: ${shown}`;
}

export function refusedBy(error: unknown, config: RedisConfig): ConfigError | undefined {
  const disposition = dispositionOf(error);
  return disposition.kind === "refused"
    ? new ConfigError([refusal(disposition, error as Error, config)])
    : undefined;
}
