/** The partitions, each with its server and what it holds. */
import { locate } from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import { dispositionOf, serverOf } from "@quantum/redis";
import { type Partition, readKillSwitch } from "@quantum/service-kit";
import type { Access } from "../access.ts";

export interface PartitionState {
  number: number;
  /** `host:port`; "" while there is no connection. */
  server: string;
  /** Its keys, of whatever kind; with one partition all that begin with `quantum:`. */
  keys: number;
  killSwitch: boolean;
  disarmed: boolean;
  /** Why nothing of it is known; "" if it answers. */
  problem: string;
}

const SCAN_COUNT = 1_000;

export function readPartitions({ partitions }: Access): Promise<PartitionState[]> {
  return Promise.all(
    partitions.map(async (partition) => {
      const { number, redis } = partition;
      try {
        return { number, ...(await stateOf(partition)), server: serverOf(redis) ?? "", problem: "" };
      } catch (error) {
        if (dispositionOf(error).kind !== "passes") throw error;
        const problem = (redis.problem ?? (error as Error)).message;
        return {
          number,
          server: serverOf(redis) ?? "",
          keys: 0,
          killSwitch: false,
          disarmed: false,
          problem,
        };
      }
    }),
  );
}

async function stateOf(partition: Partition) {
  const { redis, keys } = partition;
  const { disarm, disarm_today: today } = haltKeys(redis, keys);
  const [killSwitch, disarmed, count] = await Promise.all([
    readKillSwitch(redis, keys),
    redis.exists(disarm, today),
    countKeys(partition),
  ]);
  return { killSwitch: killSwitch.on, disarmed: disarmed > 0, keys: count };
}

async function countKeys({ number, name, redis, keys }: Partition): Promise<number> {
  let count = 0;
  for (let cursor = "0"; ;) {
    const [next, found] = await redis.scan(cursor, "MATCH", keys.all, "COUNT", SCAN_COUNT);
    count += name === "" ? found.length : found.filter((key) => locate(key).where === number).length;
    if (next === "0") return count;
    cursor = next;
  }
}
