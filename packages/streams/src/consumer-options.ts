/** The options of a consumer. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Disposition } from "./disposition.ts";
import type { Entry } from "./entry.ts";
import { Gate } from "./gate.ts";

export interface ConsumerOptions {
  /** For commands. Blocking reads use a connection of their own. */
  redis: RedisClient;
  connectForBlocking: () => RedisClient;
  keys: Keys;
  stream: string;
  group: string;
  /** Unique for each replica, the same after a restart. */
  consumer: string;
  handle: (entry: Entry) => Promise<Disposition>;
  /** Entries with the same key are handled one after another. Without it, all run concurrently. */
  orderBy?: (entry: Entry) => string;
  /** The most entries handled at the same time, and the most read ahead. */
  concurrency?: number;
  /**
   * False for hints: delivery counts as acknowledgement. Nothing is ever pending, reclaimed or dead-lettered, and
   * entries in progress are lost if the process dies.
   */
  acknowledge?: boolean;
  /** Idle time after which a pending entry is taken over, in ms. An entry that is being handled is not idle. */
  reclaimIdleMs?: number;
  /** After this many deliveries, an entry whose handler asks for a retry, and is not blameless, becomes a dead letter. */
  maxDeliveries?: number;
  /** While it is shut, no entry is read or reclaimed. Default: always open. */
  gate?: Gate;
}

export type ResolvedOptions = Required<Omit<ConsumerOptions, "orderBy">> & Pick<ConsumerOptions, "orderBy">;

const CONCURRENCY = 256;
const RECLAIM_IDLE_MS = 10_000;
const MAX_DELIVERIES = 5;

export function withDefaults(options: ConsumerOptions): ResolvedOptions {
  return {
    concurrency: CONCURRENCY,
    reclaimIdleMs: RECLAIM_IDLE_MS,
    maxDeliveries: MAX_DELIVERIES,
    acknowledge: true,
    gate: new Gate({ isOpen: true }),
    ...options,
  };
}
