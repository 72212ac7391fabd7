import type { RedisClient } from "@quantum/redis";

const ACKNOWLEDGED_WITHIN_MS = 500;

/**
 * Whether so many replicas have all that the master has. WAIT alone does not say so: it asks for what its connection wrote, and
 * while nobody has written since the first replica came, that is nothing, which one that is still loading has, too. So this
 * writes: a message to nobody, which is replicated.
 */
export async function haveReplicas(master: RedisClient, count: number): Promise<boolean> {
  const attached = Number(/^connected_slaves:(\d+)/m.exec(await master.info("replication"))?.[1]);
  if (attached !== count) return false;
  await master.publish("replicas", "");
  return (await master.wait(count, ACKNOWLEDGED_WITHIN_MS)) === count;
}
