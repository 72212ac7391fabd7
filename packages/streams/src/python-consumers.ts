/**
 * Python services at work in a group of ours. Two of one role share its entries between them, so each applies its limits
 * to half of the plans and knows nothing of the other's.
 */
import type { RedisClient } from "@quantum/redis";
import { consumersOf } from "./stream-info.ts";

/** Their consumers are named by role and process id. */
export const PYTHON_CONSUMER = /^(gov|p33)-\d+$/;
/** Redis 7.0 counts no empty read as use, so this is the time since an entry was given to it; then it may be gone. */
const AT_WORK_MS = 60_000;

/** @returns the names of those that were given an entry lately */
export async function pythonConsumers(redis: RedisClient, stream: string, group: string): Promise<string[]> {
  const consumers = await consumersOf(redis, stream, group);
  return consumers
    .filter(({ name, idleMs }) => idleMs < AT_WORK_MS && PYTHON_CONSUMER.test(name))
    .map(({ name }) => name);
}
