/** What a test compares to show that Redis was left as it was. */
import type { RedisClient } from "@quantum/redis";

/** Each key's value, and when it expires. */
export async function keyspaceOf(redis: RedisClient): Promise<Record<string, string>> {
  const names = (await redis.keys("*")).toSorted();
  const values = await Promise.all(
    names.map(async (name) => {
      const [value, expiresAtMs] = await Promise.all([valueOf(redis, name), redis.pexpiretime(name)]);
      return `${value} ${expiresAtMs < 0 ? "stays" : `expires ${expiresAtMs}`}`;
    }),
  );
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
}

/** As Redis dumps it; but reads change the order in which it dumps a large hash. */
async function valueOf(redis: RedisClient, name: string): Promise<string> {
  if ((await redis.type(name)) === "hash") {
    const hash = await redis.hgetall(name);
    return JSON.stringify(hash, Object.keys(hash).toSorted());
  }
  const dump = await redis.dumpBuffer(name);
  return dump.toString("base64");
}
