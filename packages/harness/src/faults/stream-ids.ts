/** Makes `stream` accept no more entries by giving it the highest possible last id. */
import type { RedisClient } from "@quantum/redis";

const LAST_ID = `${2n ** 64n - 1n}-${2n ** 64n - 1n}`;

export async function useUpIds(redis: RedisClient, stream: string): Promise<void> {
  await redis.xadd(stream, LAST_ID, "last", "1");
}
