/**
 * Whether issuers and executor keep up. A plan that queues longer than it may wait for permits is useless, and a late
 * execution is worse. So while a required group is too far behind, new plans are blocked instead of queued.
 */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { groupHealth } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";

/**
 * How long an answer is not asked for again. Until the next one is there, plans may exceed the limit: by those of 100 ms and a round
 * trip under load, by those of a round trip after a pause.
 */
const LOOK_MS = 100;

interface BacklogOptions {
  redis: RedisClient;
  keys: Keys;
  /** Each issuer reads `apply.plan` in a group with its own name. */
  required: readonly string[];
  /** The most entries that a group may have undelivered or unacknowledged. */
  max: number;
}

export type Backlog = () => Promise<boolean>;

/**
 * @returns whether a required group has more than `max` entries outstanding. Checks only when called, so an idle system
 * pays nothing. Nor does the first plan after a pause wait for two round trips: while nothing is known to be wrong, the answer
 * before counts until the new one comes.
 */
export function createBacklog({ redis, keys, required, max }: BacklogOptions): Backlog {
  const groups = [
    ...required.map((group) => ({ stream: keys.streams.plan, group })),
    { stream: keys.streams.execute, group: serviceOf("executor").group },
  ];
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let look: Promise<boolean> = Promise.resolve(false);
  /** By the last answer. An error is none. */
  let hasRoom = false;
  const lookAgain = async (): Promise<boolean> => {
    const entries = await Promise.all(groups.map(({ stream, group }) => behind(redis, stream, group, max)));
    return Math.max(...entries) > max;
  };
  return async () => {
    if (performance.now() - lookedAtMs >= LOOK_MS) {
      lookedAtMs = performance.now();
      look = lookAgain();
      look.then(
        (isFull) => (hasRoom = !isFull),
        // The callers that await this promise get the error.
        () => (hasRoom = false),
      );
    }
    return hasRoom ? false : look;
  };
}

/** A stream or group that does not exist yet has no backlog. */
async function behind(redis: RedisClient, stream: string, group: string, max: number): Promise<number> {
  try {
    const { lag, pending, lastDeliveredId } = await groupHealth(redis, stream, group);
    if (lag + pending <= max) return lag + pending;
    // Redis has lost count, or counts too many, for ever: as a promoted replica, or with its append-only file read again. Count the
    // entries, but no further than the limit.
    const undelivered = await redis.xrange(stream, `(${lastDeliveredId}`, "+", "COUNT", max + 1);
    return undelivered.length + pending;
  } catch (error) {
    if (error instanceof Error && /no such key|NOGROUP/.test(error.message)) return 0;
    throw error;
  }
}
