/** Keys that can be rebuilt; the typed wrapper of `lua/indexes/drop_mistyped.lua`. */
import { bindScript, type RedisClient } from "@quantum/redis";

const run = bindScript("indexes/drop_mistyped");

export interface Index {
  key: string;
  type: "hash" | "set" | "zset" | "string";
}

/**
 * Deletes indexes of the wrong type, which would make every script that uses them fail. The caller rebuilds them.
 * @returns the names of the deleted keys
 */
export async function dropMistyped(redis: RedisClient, indexes: readonly Index[]): Promise<string[]> {
  const replies = await Promise.all(
    indexes.map(({ key, type }) => run(redis, { keys: { index: key }, args: { type } })),
  );
  return indexes.filter((_, at) => replies[at]?.[0] === "DELETED").map(({ key }) => key);
}
