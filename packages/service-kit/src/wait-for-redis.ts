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
import { wrongPartitions } from "./agreed-partitions.ts";
import { ConfigError } from "./config.ts";
import { saidOnce } from "./partition-sentences.ts";
import type { Partitions } from "./partitions.ts";
import { type RedisConfig, redisVariable } from "./redis-config.ts";
import { refusal } from "./redis-readiness.ts";

const REDIS_RETRY_MS = 1_000;

/** What one look at a server finds. */
interface Look {
  /** Only if nothing is refused or waited for. */
  readonly facts?: RedisFacts;
  /** Permanent. */
  readonly refused: readonly string[];
  readonly waits: readonly string[];
  /** What a service does without. */
  readonly missing: readonly string[];
  /** Why it could not look. */
  readonly error?: Error;
}

const FINE: Look = { refused: [], waits: [], missing: [] };

interface Waiting {
  /** The service's. */
  name: string;
  log: Logger;
  connectTo: (key: string, role: string) => RedisClient;
  /** Is called with what the start waits for, and with undefined at the end. */
  waiting: (what: string | undefined) => void;
}

/**
 * Waits for the servers of all partitions to become usable, and reports what it waits for.
 * @returns what they are, in the order of the partitions
 * @throws {@link ConfigError} for a permanent problem, naming the variable
 */
export async function waitForRedis(
  partitions: Partitions,
  config: RedisConfig,
  { name, log, connectTo, waiting }: Waiting,
): Promise<RedisFacts[]> {
  const needed = neededCommands(name, partitions.all.length);
  for (;;) {
    const looks = await Promise.all(partitions.map(({ redis }) => look(redis, config, { name, needed })));
    const facts = looks.flatMap((found) => found.facts ?? []);
    const isCluster = facts.some(({ mode }) => mode === "cluster");
    const together =
      facts.length < looks.length
        ? FINE
        : await wrongPartitions(partitions, { connectTo, isCluster }).then(
            (refused) => ({ ...FINE, refused }),
            (error: Error) => failed(error, config),
          );
    const of = (what: (found: Look) => readonly string[]) => [
      ...saidOnce(looks.map(what)),
      ...what(together),
    ];
    const refused = of((found) => found.refused);
    if (refused.length > 0) throw new ConfigError(refused);
    const waits = of((found) => found.waits);
    if (waits.length === 0) {
      const missing = of((found) => found.missing);
      if (missing.length > 0) log.warn({ missing }, "Redis does not tell everything about itself");
      waiting(undefined);
      return facts;
    }
    waiting(waits.map((what) => `Redis: ${what}`).join("; "));
    const err = [...looks, together].find(({ error }) => error !== undefined)?.error;
    // The error does not say of which partitions it is.
    log.warn({ state: waits.join("; "), ...(err !== undefined && { err }) }, "waiting for Redis");
    await delay(REDIS_RETRY_MS);
  }
}

interface Needs {
  /** The service's. */
  name: string;
  needed: readonly string[][];
}

async function look(redis: RedisClient, config: RedisConfig, { name, needed }: Needs): Promise<Look> {
  try {
    const facts = await readFacts(redis);
    const refused = unusable(facts).map((problem) => `${redisVariable(config, "server")}: ${problem}`);
    if (refused.length > 0) return { ...FINE, refused };
    const state = waitsFor(facts);
    if (state !== undefined) return { ...FINE, waits: [state] };
    const rights = await missingRights(redis, needed);
    if (rights.length > 0) return { ...FINE, refused: [lackOfRights(rights, config, name)] };
    return { ...FINE, facts, missing: notReadable(facts) };
  } catch (error) {
    // The command's own error may only say that the connection failed.
    return failed(redis.problem ?? (error as Error), config);
  }
}

function failed(error: Error, config: RedisConfig): Look {
  const refused = refusedBy(error, config);
  if (refused !== undefined) return { ...FINE, refused: refused.violations };
  const disposition = dispositionOf(error);
  const meaning = disposition.kind === "passes" ? `${disposition.meaning}: ` : "";
  return { ...FINE, waits: [`${meaning}${error.message}`], error };
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
