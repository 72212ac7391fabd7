/** An operator's access to a pipeline: its Redis, for as long as one piece of work takes. */
import { createIntakeKeys, createKeys, PARTITIONS_MAX } from "@quantum/contract";
import {
  connectForBlocking,
  connectForCommands,
  disconnect,
  dispositionOf,
  parseRedisUrl,
  type RedisClient,
  RedisClock,
  redisNow,
  withoutCredentials,
} from "@quantum/redis";
import { openPartitions } from "@quantum/service-kit";
import { stateOf } from "./migrate/state.ts";
import { type AccessProblem, problemOf, refusesRights } from "./access-problem.ts";
import type { Access } from "./place.ts";
import { placesOf } from "./places.ts";

export type { Access } from "./place.ts";

export interface OpenAccess extends Access {
  /** Without its users and passwords. */
  readonly url: string;
  /** By the clock of partition 0's Redis, in ms: this machine's clock may differ. */
  readonly nowMs: () => number;
  /** What of Redis made a piece of work fail; undefined if the failure is not Redis's. */
  readonly problemOf: (failure: Error) => Promise<AccessProblem | undefined>;
  /** Why a connection does not work now; undefined while all do. */
  readonly brokenBy: () => Error | undefined;
  /** When a connection last came back, by performance.now(); undefined if none ever broke. */
  readonly backAt: () => number | undefined;
}

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
 * change that is told by what the script finds; `migrating: true` to change how many partitions there are: what Redis says of
 * that is not minded, and nothing but `redisOf` may be used. `partitions` counts while Redis does not say how many there are: of a
 * cluster, only that server may be away. `halting: true` to turn the kill switch on: no failure to say how many there are keeps
 * it from the wire's key ({@link Access.uncounted}).
 */
export interface AccessOptions {
  url: string;
  name: string;
  readyCheck?: false;
  resend?: false;
  migrating?: true;
  halting?: true;
  partitions?: number | undefined;
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
    await standing.start();
    return await work(access);
  } catch (error) {
    const problem = await access.problemOf(error as Error);
    throw problem === undefined
      ? error
      : new AccessError(access.url, problem, access.brokenBy() ?? (error as Error));
  } finally {
    await standing.close();
  }
}

/** Redis does not say how many partitions there are. Its message is an operator's text. */
export class PartitionsError extends Error {
  override readonly name = "PartitionsError";
}

/** Of a process that stays: connections come back by themselves, and what is asked meanwhile fails within seconds. */
export interface StandingAccess {
  /** While it is not known how many partitions there are, they throw. */
  readonly access: OpenAccess;
  /**
   * Finds out how many partitions there are, and follows Redis's clock if it can be asked. Called again, it follows a change of
   * their number: the partitions are other objects then, and what is asked of those of before fails.
   * @throws what Redis answers; if it does not answer, what was known stays
   * @throws {@link PartitionsError} while the number is being changed
   */
  start(): Promise<void>;
  close(): Promise<void>;
}

const WIRE = createKeys();
/** Others may answer. */
const WITHOUT_NUMBER = ` where ${WIRE.partitions} is (PARTITIONS=N does without it)`;

export function openAccess({
  url,
  migrating,
  halting,
  partitions: expected,
  ...options
}: AccessOptions): StandingAccess {
  const clients = new Set<RedisClient>();
  let backAt: number | undefined;
  const connect = (make: typeof connectForCommands, slotOf: string): RedisClient => {
    const client = make({ url, slotOf, ...options, onError: () => undefined });
    clients.add(client);
    client.once("end", () => clients.delete(client));
    let wasReady = false;
    client.on("ready", () => {
      if (wasReady) backAt = performance.now();
      wasReady = true;
    });
    return client;
  };
  const connectBlocking = (slotOf: string) => connect(connectForBlocking, slotOf);
  const first = connect(connectForCommands, WIRE.partitions);
  /** There, the wire's keys are on several servers, whatever is known of partitions. */
  const isCluster = parseRedisUrl(url).kind === "cluster";
  const ofKeys = new Map([[WIRE.partitions, first]]);
  let clock: RedisClock | undefined;
  let opened: Omit<Access, "redisOf"> | undefined;
  let uncounted: Error | undefined;
  let notOpened: Error = new PartitionsError("Redis has not said yet how many partitions it has");

  const redisOf = (key: string): RedisClient => {
    // One server has everything, and one more connection would see no more of it.
    if (opened?.partitions.all.length === 1 && !isCluster) return first;
    const known = ofKeys.get(key) ?? connect(connectForCommands, key);
    ofKeys.set(key, known);
    return known;
  };
  const place = (): Omit<Access, "redisOf"> => {
    if (opened === undefined) throw first.problem ?? notOpened;
    return opened;
  };
  /** What is said of partitions that are no longer there must not be taken for what is. */
  const forget = () => {
    clock?.stop();
    clock = undefined;
    opened = undefined;
    const stay = new Set(ofKeys.values());
    for (const client of clients) if (!stay.has(client)) void disconnect(client);
  };
  const open = (count: number): Omit<Access, "redisOf"> => {
    const partitions = openPartitions(count, (key) => ({
      redis: count === 1 ? first : connect(connectForCommands, key),
      connectForBlocking: () => connectBlocking(key),
    }));
    const { streams } = WIRE;
    const intake = { keys: createIntakeKeys(count), redis: redisOf(streams.proposal) };
    return { partitions, intake: count === 1 ? partitions.account : intake };
  };
  return {
    access: {
      get partitions() {
        return place().partitions;
      },
      get intake() {
        return place().intake;
      },
      redisOf,
      uncounted: () => uncounted,
      url: withoutCredentials(url),
      nowMs: () => redisNow(opened?.partitions.account.redis ?? first),
      async problemOf(failure) {
        if (opened !== undefined) return problemOf(failure, placesOf(opened));
        const problem = await problemOf(failure, [{ name: "", keys: WIRE, redis: first }]);
        return problem?.kind === "no answer" && isCluster ? { ...problem, where: WITHOUT_NUMBER } : problem;
      },
      brokenBy: () => [...clients].find(({ problem }) => problem !== undefined)?.problem,
      backAt: () => backAt,
    },
    async start() {
      const count = await partitionsOf(first, isCluster).catch((error: unknown) => {
        const isUnsettled = error instanceof PartitionsError;
        if (migrating === true && isUnsettled) return 1;
        if (isUnsettled) {
          forget();
          notOpened = error;
        }
        const passes = !isUnsettled && dispositionOf(error).kind === "passes";
        if (expected !== undefined && (passes || (isUnsettled && halting === true))) return expected;
        // On one server, what does not answer has the kill switch as well.
        if (halting !== true || !(isUnsettled || (passes && isCluster))) throw error;
        uncounted = error as Error;
        return undefined;
      });
      if (count === undefined) return;
      if (opened !== undefined && opened.partitions.all.length !== count) forget();
      opened ??= open(count);
      if (clock !== undefined) return;
      clock = new RedisClock(opened.partitions.account.redis);
      await clock.start();
    },
    async close() {
      clock?.stop();
      await Promise.all([...clients].map(disconnect));
    },
  };
}

/**
 * How many partitions this Redis has.
 * @param redis leads to the server that has the wire's keys
 * @throws {@link PartitionsError} if the key holds no such number
 */
async function partitionsOf(redis: RedisClient, isCluster: boolean): Promise<number> {
  const text = await redis.get(WIRE.partitions).catch((error: unknown) => {
    // With the rights of earlier versions, the Redis user `halt` may write the wire's kill switch, and nothing else.
    if (refusesRights(error)) return null;
    throw error;
  });
  // The first service that starts there says it.
  if (text === null && isCluster)
    throw new PartitionsError(`${WIRE.partitions} is missing, and a cluster has several partitions`);
  const state = stateOf(text);
  if (state?.kind === "settled") return state.count;
  const said = `${WIRE.partitions} says ${JSON.stringify(text)}`;
  if (state === undefined)
    throw new PartitionsError(`${said}: it must be a number from 1 to ${PARTITIONS_MAX}`);
  throw new PartitionsError(
    `${said}: a change of their number has not ended; run permitctl partitions migrate --to ${state.to} again`,
  );
}
