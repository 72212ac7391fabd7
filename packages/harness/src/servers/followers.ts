import type { RedisClient } from "@quantum/redis";

const ACKNOWLEDGED_WITHIN_MS = 500;

/**
 * Whether so many replicas have all that the master has. WAIT alone does not say so: it asks for what its connection wrote,
 * and whoever wrote before the first replica came asks for nothing, which a replica that is still loading has, too.
 */
export async function haveReplicas(master: RedisClient, count: number): Promise<boolean> {
  const attached = Number(/^connected_slaves:(\d+)/m.exec(await master.info("replication"))?.[1]);
  return attached === count && (await master.wait(count, ACKNOWLEDGED_WITHIN_MS)) === count;
}
