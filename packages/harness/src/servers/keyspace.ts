/** What a test compares to show that Redis was left as it was. */
import type { RedisClient } from "@quantum/redis";

/** Each key's value as Redis dumps it, and when it expires. */
export async function keyspaceOf(redis: RedisClient): Promise<Record<string, string>> {
  const names = (await redis.keys("*")).toSorted();
  const values = await Promise.all(
    names.map(async (name) => {
      const [dump, expiresAtMs] = await Promise.all([redis.dumpBuffer(name), redis.pexpiretime(name)]);
      return `${dump?.toString("base64")} ${expiresAtMs < 0 ? "stays" : `expires ${expiresAtMs}`}`;
    }),
  );
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
}
