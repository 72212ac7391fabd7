/** Where the keys are while they are moved: one server, or those of a cluster. */
import { createIntakeKeys, createKeys, locate, unstaged, type Where } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Access } from "../access.ts";
import { type Kind, kindOf } from "./kinds.ts";

export interface Found {
  key: string;
  where: Where | undefined;
  wireName: string;
  kind: Kind;
}

/** In the order of their names. */
export interface Listed {
  wire: readonly Found[];
  tagged: readonly Found[];
  /** Copies that do not have their names yet. */
  staged: readonly string[];
}

export interface Store {
  readonly isCluster: boolean;
  /** A connection to the server that has the key. */
  of(key: string): RedisClient;
  /** To every server; on a cluster one for each place, of which several may be on one. */
  readonly clients: readonly RedisClient[];
  list(): Promise<Listed>;
}

const WIRE = createKeys();
const SCAN_COUNT = 1_000;

/** A key in the same slot, one for each: a connection is opened for each. */
export function slotName(key: string): string {
  const name = unstaged(key);
  const { where } = locate(name);
  if (where === "intake" || name === WIRE.streams.proposal) return createIntakeKeys(2).probe;
  return where === undefined ? WIRE.partitions : createKeys({ partition: where }).probe;
}

/** @param places how many partitions there are or will be, whichever is more */
export async function storeOf({ redisOf }: Pick<Access, "redisOf">, places: number): Promise<Store> {
  const home = redisOf(WIRE.partitions);
  const isCluster = /^redis_mode:cluster/m.test(await home.info("server"));
  const probes = isCluster
    ? [
        createIntakeKeys(2).probe,
        ...Array.from({ length: places }, (_, partition) => createKeys({ partition }).probe),
      ]
    : [];
  const of = (key: string) => (isCluster ? redisOf(slotName(key)) : home);
  return {
    isCluster,
    of,
    clients: [...new Set([home, ...probes.map(of)])],
    async list() {
      if (!isCluster) return sorted(await scan(home));
      const keys = await Promise.all(
        probes.map(async (probe) => {
          // A SCAN is answered by every server; this only by the one that has the slot.
          await of(probe).exists(probe);
          return (await scan(of(probe))).filter((key) => slotName(key) === probe);
        }),
      );
      return sorted(keys.flat());
    },
  };
}

async function scan(redis: RedisClient): Promise<string[]> {
  const found = new Set<string>();
  for (let cursor = "0"; ;) {
    const [next, keys] = await redis.scan(cursor, "MATCH", WIRE.all, "COUNT", SCAN_COUNT);
    for (const key of keys) found.add(key);
    if (next === "0") return [...found];
    cursor = next;
  }
}

function sorted(keys: readonly string[]): Listed {
  const listed = { wire: [] as Found[], tagged: [] as Found[], staged: [] as string[] };
  for (const key of keys.toSorted()) {
    if (unstaged(key) !== key) listed.staged.push(key);
    const { where, wireName } = locate(key);
    const kind = kindOf(wireName);
    if (kind === undefined) continue;
    (where === undefined ? listed.wire : listed.tagged).push({ key, where, wireName, kind });
  }
  return listed;
}
