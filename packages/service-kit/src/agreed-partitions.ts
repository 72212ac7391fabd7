/**
 * Whether this Redis is divided into as many partitions as this service is told. If one service wrote a partition while another wrote the
 * wire's keys, plans would be left that nobody ends.
 */
import { createKeys, signsOfUse } from "@quantum/contract";
import { disconnect, type RedisClient } from "@quantum/redis";
import type { Partitions } from "./partitions.ts";

const wire = createKeys();

/** What `quantum:partitions` says, and what has been worked on. */
interface Found {
  /** Null if there is no key. */
  told: string | null;
  /** Whether there are streams of the wire's layout, which is one partition. */
  one: boolean;
  /** Whether there are streams of the first of several. */
  several: boolean;
}

/**
 * Where nobody has worked yet, a service with several partitions writes how many there are. With one it writes nothing.
 *
 * @param connectTo makes a connection to the server that has a key; it is closed here
 * @returns why this service must not start; empty: it may
 */
export async function wrongPartitions(
  { all, account }: Partitions,
  { connectTo, isCluster }: { connectTo: (key: string, role: string) => RedisClient; isCluster: boolean },
): Promise<string[]> {
  const count = all.length;
  // With one partition all keys are on its server. A connection more would be for nothing.
  const home = count === 1 ? account.redis : connectTo(wire.partitions, "partitions");
  try {
    const found: Found = {
      // On a cluster no service works with one.
      one: count > 1 && !isCluster && (await exist(home, signsOfUse(wire))),
      several: await exist(account.redis, signsOfUse(createKeys({ partition: 0 }))),
      // Last: whoever has made such streams had written it before.
      told: await home.get(wire.partitions),
    };
    if (found.told === null && count > 1 && !found.one && !found.several) {
      await home.setnx(wire.partitions, count);
      // Another service may have been first, with another number.
      found.told = await home.get(wire.partitions);
    }
    return problemsOf(found, count);
  } catch (error) {
    // The command's own error may only say that the connection failed.
    throw home.problem ?? error;
  } finally {
    if (home !== account.redis) await disconnect(home);
  }
}

async function exist(redis: RedisClient, streams: string[]): Promise<boolean> {
  return (await redis.exists(...streams)) > 0;
}

function problemsOf({ told, one, several }: Found, count: number): string[] {
  const set = `PARTITIONS=${count}`;
  const key = wire.partitions;
  if (told !== null) {
    if (told === String(count)) return [];
    return [
      `${set}: ${key} says ${JSON.stringify(told)}: set PARTITIONS to that, or change it with permitctl partitions migrate`,
    ];
  }
  if (count > 1 && one)
    return [
      `${set}: this Redis has one partition, with streams in it: divide it with permitctl partitions migrate`,
    ];
  if (several)
    return [
      `${set}: this Redis has several partitions, but ${key}, which says how many, is gone: SET it to their number`,
    ];
  return [];
}
