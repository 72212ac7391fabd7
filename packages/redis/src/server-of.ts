import type { Socket } from "node:net";
import type { RedisClient } from "./connection.ts";

/** Where the connection leads now: `host:port` of its socket; undefined while there is none. */
export function serverOf(redis: RedisClient): string | undefined {
  // There is none before the first connection, whatever the type says; and a lost one has no address.
  const { remoteAddress, remotePort } = (redis.stream as Socket | undefined) ?? {};
  return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
}
