/** What a consumer is told when it is made. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Disposition } from "./disposition.ts";
import type { Entry } from "./entry.ts";

export interface ConsumerOptions {
  /** For commands; the consumer makes its own connection for blocking reads. */
  redis: RedisClient;
  connectForBlocking: () => RedisClient;
  keys: Keys;
  stream: string;
  group: string;
  /** Unique for each replica, the same after a restart. */
  consumer: string;
  handle: (entry: Entry) => Promise<Disposition>;
  /** Entries of one key are handled one after another; without it all run at the same time. */
  orderBy?: (entry: Entry) => string;
  /** Entries handled at the same time, and at most this many are read ahead. */
  concurrency?: number;
  /**
   * False for hints: delivered counts as acknowledged, so nothing is ever pending, reclaimed or dead-lettered, and what
   * was under way when the process died is gone.
   */
  acknowledge?: boolean;
  /** Idle time after which a pending entry is taken over, in ms. An entry that is being handled is not idle. */
  reclaimIdleMs?: number;
  /** Deliveries after which an entry that asks for a retry is given up. */
  maxDeliveries?: number;
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
    ...options,
  };
}
