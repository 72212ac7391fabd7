/**
 * Finds Python services that consume in one of our groups. Two services with the same role split the group's entries,
 * so each applies its limits to only half of the plans.
 */
import type { RedisClient } from "@quantum/redis";
import { consumersOf } from "./stream-info.ts";

/** Python consumers are named after their role and process id. */
export const PYTHON_CONSUMER = /^(gov|p33)-\d+$/;
/**
 * Redis 7.0 does not count an empty read as activity, so idle time is the time since the last entry. After this long,
 * the consumer may be gone.
 */
const AT_WORK_MS = 60_000;

/** @returns the names of those that received an entry recently */
export async function pythonConsumers(redis: RedisClient, stream: string, group: string): Promise<string[]> {
  const consumers = await consumersOf(redis, stream, group);
  return consumers
    .filter(({ name, idleMs }) => idleMs < AT_WORK_MS && PYTHON_CONSUMER.test(name))
    .map(({ name }) => name);
}
