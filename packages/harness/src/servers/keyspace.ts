/** A copy of Redis's contents, for tests that show that nothing changed. */
import type { RedisClient } from "@quantum/redis";

/** Each key's value and expiry time. */
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

/** Redis's own dump, except for hashes: reads change the order in which a large hash is dumped. */
async function valueOf(redis: RedisClient, name: string): Promise<string> {
  if ((await redis.type(name)) === "hash") {
    const hash = await redis.hgetall(name);
    return JSON.stringify(hash, Object.keys(hash).toSorted());
  }
  const dump = await redis.dumpBuffer(name);
  return dump.toString("base64");
}
