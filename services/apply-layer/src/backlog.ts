/**
 * Whether those behind us keep up. A plan that waits in a queue longer than for its permits is worth nothing, and one
 * that is executed late is worse: so while a required group is too far behind, new plans are blocked, not queued.
 */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { groupHealth } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";

/** A look is this old at most; between two looks a burst may exceed the limit by what is opened meanwhile. */
const LOOK_MS = 100;

interface BacklogOptions {
  redis: RedisClient;
  keys: Keys;
  /** Issuers read `apply.plan` in groups of their names. */
  required: readonly string[];
  /** Entries that a group may have undelivered or unacknowledged. */
  max: number;
}

export type Backlog = () => Promise<boolean>;

/** @returns whether a required group is behind by more than `max`; looks only when asked, so an idle system pays nothing. */
export function createBacklog({ redis, keys, required, max }: BacklogOptions): Backlog {
  const groups = [
    ...required.map((group) => ({ stream: keys.streams.plan, group })),
    { stream: keys.streams.execute, group: serviceOf("executor").group },
  ];
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let look: Promise<boolean> = Promise.resolve(false);
  return async () => {
    if (performance.now() - lookedAtMs >= LOOK_MS) {
      lookedAtMs = performance.now();
      look = Promise.all(groups.map(({ stream, group }) => behind(redis, stream, group, max))).then(
        (entries) => Math.max(...entries) > max,
      );
      // The caller gets the error; it need not be reported elsewhere.
      look.catch(() => undefined);
    }
    return look;
  };
}

/** A stream or group that does not exist yet is not behind. */
async function behind(redis: RedisClient, stream: string, group: string, max: number): Promise<number> {
  try {
    const { lag, pending, lastDeliveredId } = await groupHealth(redis, stream, group);
    if (!Number.isNaN(lag)) return lag + pending;
    // Redis lost count, after an operator's XDEL: count for ourselves, no further than matters.
    const undelivered = await redis.xrange(stream, `(${lastDeliveredId}`, "+", "COUNT", max + 1);
    return undelivered.length + pending;
  } catch (error) {
    if (error instanceof Error && /no such key|NOGROUP/.test(error.message)) return 0;
    throw error;
  }
}
