/** An operator's access to a pipeline: its Redis, for as long as one piece of work takes. */
import { createKeys, type Keys } from "@quantum/contract";
import {
  connectForBlocking,
  connectForCommands,
  disconnect,
  dispositionOf,
  type RedisClient,
  RedisClock,
  redisNow,
  withoutCredentials,
} from "@quantum/redis";
import { keysInTheWay } from "@quantum/service-kit";

/** What queries and changes need. */
export interface Access {
  readonly redis: RedisClient;
  readonly keys: Keys;
}

export interface OpenAccess extends Access {
  /** Without its users and passwords. */
  readonly url: string;
  /** By Redis's clock, in ms: this machine's clock may differ. */
  readonly nowMs: () => number;
  readonly connectForBlocking: () => RedisClient;
  /** What of Redis made a piece of work fail; undefined if the failure is not Redis's. */
  readonly problemOf: (failure: Error) => Promise<AccessProblem | undefined>;
  /** When the connection last came back, by performance.now(); undefined if it never broke. */
  readonly backAt: () => number | undefined;
}

/** Why Redis did not do what it was asked to do. */
export type AccessProblem =
  /** It refuses what the URL names, such as a user or a database. */
  | { kind: "refused"; advice: string }
  /** Keys of the pipeline have another type. A sentence each. */
  | { kind: "keys in the way"; found: readonly string[] }
  | { kind: "no answer" }
  /** It answers, and cannot do this at the moment. */
  | { kind: "not now"; meaning: string }
  /** It answers with another error, which the message has. */
  | { kind: "error" };

/** Its message is Redis's or the connection's own. */
export class AccessError extends Error {
  override readonly name = "AccessError";
  readonly url: string;
  readonly problem: AccessProblem;

  constructor(url: string, problem: AccessProblem, cause: Error) {
    super(cause.message, { cause });
    this.url = url;
    this.problem = problem;
  }
}

/**
 * `name` is the connection's name in Redis. `readyCheck: false` for what the Redis user `halt` may do; `resend: false` for a
 * change that is told by what the script finds.
 */
export interface AccessOptions {
  url: string;
  name: string;
  readyCheck?: false;
  resend?: false;
}

/**
 * Connects, runs `work` and disconnects.
 * Throws {@link AccessError} if Redis is the reason that `work` failed, else what `work` threw.
 */
export async function withAccess<T>(
  options: AccessOptions,
  work: (access: OpenAccess) => Promise<T>,
): Promise<T> {
  const standing = openAccess(options);
  const { access } = standing;
  try {
    await access.redis.ping();
    await standing.start();
    return await work(access);
  } catch (error) {
    const problem = await problemOf(error as Error, access.redis);
    throw problem === undefined
      ? error
      : new AccessError(access.url, problem, access.redis.problem ?? (error as Error));
  } finally {
    await standing.close();
  }
}

/** Of a process that stays: the connection comes back by itself, and what is asked meanwhile fails within seconds. */
export interface StandingAccess {
  readonly access: OpenAccess;
  /** Resolves once Redis's clock is followed, or cannot be asked. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function openAccess({ url, ...options }: AccessOptions): StandingAccess {
  const connection = { url, ...options, onError: () => undefined };
  const redis = connectForCommands(connection);
  const clock = new RedisClock(redis);
  let backAt: number | undefined;
  let wasReady = false;
  redis.on("ready", () => {
    if (wasReady) backAt = performance.now();
    wasReady = true;
  });
  return {
    access: {
      redis,
      keys: createKeys(),
      url: withoutCredentials(url),
      nowMs: () => redisNow(redis),
      connectForBlocking: () => connectForBlocking(connection),
      problemOf: (failure) => problemOf(failure, redis),
      backAt: () => backAt,
    },
    start: () => clock.start(),
    async close() {
      clock.stop();
      await disconnect(redis);
    },
  };
}

/** More would keep Redis from the pipeline. */
const SYMBOLS_MAX = 200;

/** Sentences that name them, of the fixed keys and those of symbols. */
async function wrongKeys(redis: RedisClient): Promise<string[]> {
  const keys = createKeys();
  const sets = [keys.orderSymbols, keys.waitingSymbols];
  const known = await Promise.all(sets.map((set) => redis.smembers(set).catch(() => [])));
  const symbols = [...new Set(known.flat())].slice(0, SYMBOLS_MAX);
  const ofSymbols = symbols.flatMap((symbol): [key: string, type: string][] => [
    [keys.ledger(symbol), "hash"],
    [keys.snapshot(symbol), "hash"],
    [keys.waiting(symbol), "zset"],
    [keys.unsettled(symbol), "zset"],
    [keys.unknown(symbol), "set"],
  ]);
  return keysInTheWay(redis, keys, ofSymbols);
}

/** Of a plan, or of a symbol that no index has: Redis does not say which key it is. */
const OF_SYMBOL_OR_PLAN =
  "a key of the symbol or the plan is of the wrong type: find it with redis-cli TYPE, then rename or delete it";

/** Undefined: the failure is not Redis's. */
async function problemOf(failure: Error, redis: RedisClient): Promise<AccessProblem | undefined> {
  const { problem, status } = redis;
  // The command may only have heard that its connection failed.
  const cause = problem ?? failure;
  const disposition = dispositionOf(cause);
  if (disposition.kind === "refused") return { kind: "refused", advice: disposition.advice };
  if (cause.message.startsWith("WRONGTYPE")) {
    const found = await wrongKeys(redis).catch(() => []);
    return { kind: "keys in the way", found: found.length === 0 ? [OF_SYMBOL_OR_PLAN] : found };
  }
  if (disposition.kind === "command") return cause.name === "ReplyError" ? { kind: "error" } : undefined;
  if (problem !== undefined || status !== "ready") return { kind: "no answer" };
  // An error of our own is no word of Redis's.
  return cause.name === "ReplyError" ? { kind: "not now", meaning: disposition.meaning } : undefined;
}
