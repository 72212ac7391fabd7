/** An operator's access for tests, and entries and records as the pipeline writes them. */
import { createKeys } from "@quantum/contract";
import { urlOfUser } from "@quantum/harness";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll } from "vitest";
import { Partitions } from "@quantum/service-kit";
import type { Access, OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";

export const keys = createKeys();
export const BY = { who: "ann@desk", reason: "a drill" };

/** With the rights of a Redis user, on a connection that is closed after the file's tests. */
export function accessAs(user: "viewer" | "operator", serverUrl: string): OpenAccess {
  const url = urlOfUser(serverUrl, user);
  const options = { url, name: user, onError: () => undefined };
  const redis = connectForCommands(options);
  afterAll(() => disconnect(redis));
  return {
    ...accessTo({ redis, keys }, () => connectForBlocking(options)),
    url,
    nowMs: Date.now,
    problemOf: async () => undefined,
    brokenBy: () => undefined,
    backAt: () => undefined,
  };
}

/** To the wire's layout. */
export function accessTo(
  place: Place,
  connectForBlocking: () => RedisClient = () => place.redis.duplicate(),
): Access {
  const partitions = new Partitions([{ name: "", number: 0, ...place, connectForBlocking }]);
  return { partitions, intake: place, redisOf: () => place.redis };
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
