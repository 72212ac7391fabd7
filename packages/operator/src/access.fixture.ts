/** An operator's access for tests, and entries and records as the pipeline writes them. */
import { createKeys } from "@quantum/contract";
import { connectForBlocking, type RedisClient } from "@quantum/redis";
import type { OpenAccess } from "./access.ts";

export const keys = createKeys();
export const BY = { who: "ann@desk", reason: "a drill" };

export function accessTo(redis: RedisClient, url: string): OpenAccess {
  return {
    redis,
    keys,
    url,
    nowMs: Date.now,
    connectForBlocking: () => connectForBlocking({ url, name: "test", onError: () => undefined }),
    backAt: () => undefined,
  };
}

/** 16 hex digits that name the number. */
export function planIdOf(number: number): string {
  return number.toString(16).padStart(16, "0");
}

export async function add(
  redis: RedisClient,
  stream: string,
  fields: Readonly<Record<string, string>>,
  id = "*",
): Promise<string> {
  return String(await redis.xadd(stream, id, ...Object.entries(fields).flat()));
}
