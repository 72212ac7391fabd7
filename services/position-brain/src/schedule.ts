/**
 * The refresh's clock: a BullMQ job scheduler, which all replicas share, so that there is one refresh an interval
 * however many run. Source: https://docs.bullmq.io/guide/job-schedulers
 */
import type { Keys } from "@quantum/contract";
import { disconnect, type RedisClient } from "@quantum/redis";
import { Queue, Worker } from "bullmq";

const QUEUE = "position-brain-refresh";
const SCHEDULER = "refresh";
/** A scheduler that Redis has lost (flushed, restarted from an older file) is there again after this. */
const LOOK_EVERY_MS = 2_000;
/** After an error, such as a Redis that is full for a while; BullMQ's own 15 s would let every pair become stale. */
const RETRY_MS = 1_000;

export interface ScheduleOptions {
  connectForJobs: () => RedisClient;
  keys: Keys;
  everyMs: number;
  /** Reports its own failures; the next interval is its retry. */
  refresh: () => Promise<void>;
  onError: (error: Error) => void;
}

/** Resolves once the schedule runs. @returns stops it here, after a refresh under way */
export async function startSchedule(options: ScheduleOptions): Promise<() => Promise<void>> {
  const { keys, everyMs, refresh, onError } = options;
  const connection = options.connectForJobs();
  const queue = new Queue(QUEUE, { connection, prefix: keys.jobs });
  queue.on("error", onError);
  const assertScheduler = async () => {
    const opts = { removeOnComplete: true, removeOnFail: true };
    await queue.upsertJobScheduler(SCHEDULER, { every: everyMs }, { opts });
  };
  await assertScheduler();
  const assertIfLost = async () => {
    // An active job does not count: when it cannot be finished, it is in nobody's hands, and the next one does not come.
    const jobs = await queue.getJobCountByTypes("delayed", "waiting", "prioritized");
    if (jobs === 0) await assertScheduler();
  };
  const timer = setInterval(() => void assertIfLost().catch(onError), LOOK_EVERY_MS);
  const worker = new Worker(QUEUE, async () => refresh().catch(() => undefined), {
    connection,
    prefix: keys.jobs,
    runRetryDelay: RETRY_MS,
  });
  worker.on("error", onError);
  return async () => {
    clearInterval(timer);
    await worker.close();
    await queue.close();
    await disconnect(connection);
  };
}
