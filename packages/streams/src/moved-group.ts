/**
 * If somebody moves a group past the end of its stream (XGROUP SETID), it receives nothing and reports no error: reads
 * are just empty. Such a group is reset to the beginning, like a lost one. Sources:
 * https://redis.io/docs/latest/commands/xinfo-groups/, xinfo-stream, xgroup-setid.
 */
import type { RedisClient } from "@quantum/redis";
import { isLater } from "./stream-id.ts";
import { groupsOf, lastGeneratedId } from "./stream-info.ts";

/** @returns whether the group had been moved; a second call only causes redeliveries */
export async function bringBackGroup(redis: RedisClient, stream: string, group: string): Promise<boolean> {
  // The order matters: an entry delivered between the two reads only makes the stream's id newer, never the group's.
  const found = (await groupsOf(redis, stream)).find(({ name }) => name === group);
  const newest = await lastGeneratedId(redis, stream);
  if (found === undefined || !isLater(found.lastDeliveredId, newest)) return false;
  await redis.xgroup("SETID", stream, group, "0");
  return true;
}
