import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Access } from "./access.ts";
import { byServer } from "./places.ts";

const SCAN_COUNT = 1_000;

/** What follows one of the prefixes in keys that are there: symbols, plan ids, owners. Goes through all keys, once. */
export async function namesUnder(redis: RedisClient, ...prefixes: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const pattern = `${commonPrefix(prefixes)}*`;
  for (let cursor = "0"; ;) {
    const [next, keys] = await redis.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
    for (const key of keys) {
      const prefix = prefixes.find((candidate) => key.startsWith(candidate));
      if (prefix !== undefined) found.add(key.slice(prefix.length));
    }
    if (next === "0") return [...found].toSorted();
    cursor = next;
  }
}

/**
 * Symbols that follow a prefix in keys of any partition. Each server is gone through once.
 * @param prefixesOf the prefixes in a partition's keys
 */
export async function symbolsOfAll(
  access: Pick<Access, "partitions">,
  prefixesOf: (keys: Keys) => readonly string[],
): Promise<string[]> {
  const found = await Promise.all(
    byServer(access).map((partitions) =>
      namesUnder(partitions[0].redis, ...partitions.flatMap(({ keys }) => prefixesOf(keys))),
    ),
  );
  return [...new Set(found.flat())].toSorted();
}

function commonPrefix([first = "", ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}
