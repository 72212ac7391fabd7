/**
 * A group whose last entry lies beyond the stream's (XGROUP SETID by somebody) is given nothing any more, and says nothing:
 * reads come back empty. It is read again from the beginning, as one that was lost. Sources:
 * https://redis.io/docs/latest/commands/xinfo-groups/, xinfo-stream, xgroup-setid.
 */
import type { RedisClient } from "@quantum/redis";
import { isLater } from "./stream-id.ts";
import { groupsOf, lastGeneratedId } from "./stream-info.ts";

/** @returns whether the group had been moved; doing it twice makes entries come again, no more */
export async function bringBackGroup(redis: RedisClient, stream: string, group: string): Promise<boolean> {
  // In this order: what is delivered in between is younger than the groups' answer, and older than the stream's.
  const found = (await groupsOf(redis, stream)).find(({ name }) => name === group);
  const newest = await lastGeneratedId(redis, stream);
  if (found === undefined || !isLater(found.lastDeliveredId, newest)) return false;
  await redis.xgroup("SETID", stream, group, "0");
  return true;
}
