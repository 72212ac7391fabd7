/**
 * A group whose last entry lies beyond the stream's (XGROUP SETID by somebody) is given nothing any more, and says nothing:
 * reads come back empty. It is read again from the beginning, as one that was lost. Sources:
 * https://redis.io/docs/latest/commands/xinfo-groups/, xinfo-stream, xgroup-setid.
 */
import type { RedisClient } from "@quantum/redis";
import { earlier, readGroups } from "./health.ts";
import { fieldsOf } from "./entry.ts";

/** @returns whether the group had been moved; doing it twice makes entries come again, no more */
export async function bringBackGroup(redis: RedisClient, stream: string, group: string): Promise<boolean> {
  // In this order: what is delivered in between is younger than the groups' answer, and older than the stream's.
  const found = (await readGroups(redis, stream)).find(({ name }) => name === group);
  const { "last-generated-id": newest = "0-0" } = fieldsOf(
    ((await redis.xinfo("STREAM", stream)) as unknown[]).map(String),
  );
  const delivered = found?.["last-delivered-id"] ?? "0-0";
  if (earlier(delivered, newest) === delivered) return false;
  await redis.xgroup("SETID", stream, group, "0");
  return true;
}
