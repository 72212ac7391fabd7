import type { RedisClient } from "@quantum/redis";

const SCAN_COUNT = 1_000;

/** The symbols for which there is a key that begins with `prefix`. */
export async function symbolsUnder(redis: RedisClient, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  for (let cursor = "0"; ;) {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT);
    for (const key of keys) found.add(key.slice(prefix.length));
    if (next === "0") return [...found].toSorted();
    cursor = next;
  }
}
