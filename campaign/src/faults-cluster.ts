/**
 * Faults of a cluster: one master is lost, replaced or grows, and the partitions of the others go on meanwhile. What a
 * promoted replica lacks is known: it is read from the replica while the master sends it nothing.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys, slotOf, type Where } from "@quantum/contract";
import { eventually, type RedisCluster, type StreamRef, streamRef } from "@quantum/harness";
import { isLater } from "@quantum/streams";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import type { FaultContext, FaultKind, Hit } from "./fault-kind.ts";

/** For so long the replica gets nothing before the master dies. */
const LOST_MS = { low: 50, high: 1_000 } as const;
const ALONE_MS = 3_000;
/** Longer than it takes to read the last entries. */
const WRITES_PAUSED_MS = 5_000;
/** What a frozen master had sent has arrived. */
const SENT_MS = 100;
const BEFORE_ALL = "0-0";
const STREAMS = ["plan", "permit", "execute", "result"] as const;

const ON = ["cluster"] as const;

export const CLUSTER_FAULTS: Readonly<Record<string, FaultKind>> = {
  "cluster-master-kill": {
    meaning: "one master is killed, with nothing unsent to its replica, which takes over",
    weight: 3,
    on: ON,
    run: async (context) => {
      const { cluster, shard } = await anyShard(context);
      await withMaster(shard, async (master) => {
        await pauseWrites(master);
        await insist(() => isReplicated(master), "a replica that has everything");
        await cluster.killMaster(shard.slot);
      });
      await cluster.heal();
      return [hitOf("cluster-master-kill", shard)];
    },
  },
  "cluster-failover": {
    meaning: "a failover of one master is ordered",
    weight: 2,
    on: ON,
    run: async (context) => {
      const { cluster, shard } = await anyShard(context);
      await cluster.promote(shard.slot);
      return [hitOf("cluster-failover", shard)];
    },
  },
  "cluster-failover-loss": {
    meaning: `one master is killed, and a replica takes over that lacks the last ${LOST_MS.low}-${LOST_MS.high} ms`,
    weight: 3,
    on: ON,
    run: async (context) => {
      const { cluster, shard } = await anyShard(context);
      const lostMs = context.random.between(LOST_MS.low, LOST_MS.high);
      await cluster.cutReplication(shard.slot);
      await delay(lostMs);
      await withMaster(shard, async (master) => {
        await pauseWrites(master);
        const isRead = async () => (await context.tail.caughtUp(shard.affected)) || undefined;
        await insist(isRead, "every entry of the master is read");
        context.tail.hold(shard.affected);
        const survived = await survivorsOf(context, shard);
        await cluster.killMaster(shard.slot);
        await readOn(context, shard, survived);
      });
      await cluster.heal();
      return [hitOf("cluster-failover-loss", shard, `, ${lostMs} ms`)];
    },
  },
  "cluster-master-frozen": {
    meaning: "SIGSTOP of one master until a replica has taken over; then it goes on with what it was sent",
    weight: 2,
    on: ON,
    run: async (context) => {
      const { cluster, shard } = await anyShard(context);
      context.tail.hold(shard.affected);
      const [resume, survived] = await Promise.all([
        cluster.freezeMaster(shard.slot),
        delay(SENT_MS).then(() => survivorsOf(context, shard)),
      ]);
      await readOn(context, shard, survived);
      resume();
      await cluster.heal();
      return [hitOf("cluster-master-frozen", shard)];
    },
  },
  reshard: {
    meaning: "the slot of one partition, or of the proposals, moves to another master",
    weight: 3,
    on: ON,
    run: async (context) => {
      const { cluster, slot, name } = anyPlace(context);
      const from = await cluster.masterOf(slot);
      const masters = (await cluster.nodes()).filter(({ slots, port }) => slots.length > 0 && port !== from);
      await cluster.reshard(slot, context.random.pick(masters.toSorted((a, b) => a.port - b.port)).port);
      return [{ kind: "reshard", target: nameOf(name) }];
    },
  },
  "cluster-replicas-gone": {
    meaning: `every replica of one master is killed for ${ALONE_MS / 1000} s, and the master takes no writes without one`,
    weight: 1,
    on: ON,
    run: async (context) => {
      const { cluster, shard } = await anyShard(context);
      await withMaster(shard, async (master) => {
        await master.config("SET", "min-replicas-to-write", "1");
        await cluster.killReplicas(shard.slot);
        await delay(ALONE_MS);
        await master.config("SET", "min-replicas-to-write", "0");
      });
      await cluster.heal();
      return [hitOf("cluster-replicas-gone", shard)];
    },
  },
};

/** What one master has. */
interface Shard {
  slot: number;
  port: number;
  /** The partitions, and the proposals if they are there. */
  affected: ReadonlySet<Where>;
  /** Whether one of the keys that all partitions wait for is there: the proposals or the wire's kill switch. */
  hasWire: boolean;
}

function clusterOf({ system }: FaultContext): RedisCluster {
  if (system.servers.cluster === undefined) throw new Error("this fault needs a cluster");
  return system.servers.cluster;
}

function placesOf({ system }: FaultContext): { name: Where; slot: number }[] {
  const { intake, partitions } = system.stored;
  return [
    { name: "intake", slot: slotOf(intake.keys.streams.proposal) },
    ...partitions.map(({ number, keys }) => ({ name: number, slot: slotOf(keys.probe) })),
  ];
}

function anyPlace(context: FaultContext) {
  return { cluster: clusterOf(context), ...context.random.pick(placesOf(context)) };
}

async function anyShard(context: FaultContext): Promise<{ cluster: RedisCluster; shard: Shard }> {
  const { cluster, slot } = anyPlace(context);
  const port = await cluster.masterOf(slot);
  const affected = new Set<Where>();
  for (const place of placesOf(context))
    if ((await cluster.masterOf(place.slot)) === port) affected.add(place.name);
  const isKillSwitchHere = (await cluster.masterOf(slotOf(createKeys().killSwitch))) === port;
  return { cluster, shard: { slot, port, affected, hasWire: affected.has("intake") || isKillSwitchHere } };
}

const nameOf = (name: Where) => (name === "intake" ? "the proposals" : `q${name}`);

function hitOf(kind: string, { affected, hasWire }: Shard, more = ""): Hit {
  const failedOver = new Set([...affected].filter((name) => name !== "intake"));
  const target = `${[...affected].map(nameOf).join(" ")}${more}`;
  return { kind, target, ...(!hasWire && { failedOver }) };
}

async function withMaster(shard: Shard, act: (master: RedisClient) => Promise<void>): Promise<void> {
  await withServer(shard.port, act);
}

async function withServer<T>(port: number, act: (client: RedisClient) => Promise<T>): Promise<T> {
  const client = connectForCommands({
    url: `redis://127.0.0.1:${port}`,
    name: "chaos:fault",
    onError: () => undefined,
  });
  try {
    return await act(client);
  } finally {
    await disconnect(client);
  }
}

/** Tries again: connections of this process have to follow the masters, too. */
function insist<T>(probe: () => Promise<T | undefined>, what: string): Promise<T> {
  return eventually(() => probe().catch(() => undefined), WRITES_PAUSED_MS, what);
}

/** Reads and replication go on. */
async function pauseWrites(master: RedisClient): Promise<void> {
  await master.client("PAUSE", WRITES_PAUSED_MS, "WRITE");
}

async function isReplicated(master: RedisClient): Promise<true | undefined> {
  const info = await master.info("replication");
  const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
  return info.includes(`,offset=${offset},`) || undefined;
}

/** The last entries that the replica has. */
async function survivorsOf(context: FaultContext, shard: Shard): Promise<Map<StreamRef, string>> {
  const { intake, partitions } = context.system.stored;
  const read = async (client: RedisClient) => {
    await client.readonly();
    const found = new Map<StreamRef, string>();
    const look = async (key: string, ref: StreamRef) => {
      const [newest] = (await client.xrevrange(key, "+", "-", "COUNT", 1)) as [string, string[]][];
      if (newest !== undefined) found.set(ref, newest[0]);
    };
    if (shard.affected.has("intake")) await look(intake.keys.streams.proposal, streamRef("proposal", 0));
    for (const { number, keys } of partitions.all)
      if (shard.affected.has(number))
        for (const name of STREAMS) await look(keys.streams[name], streamRef(name, number));
    return found;
  };
  const ask = async () => {
    const [replica = 0] = await clusterOf(context).replicasOf(shard.slot);
    return withServer(replica, read);
  };
  return insist(ask, "the replica tells its last entries");
}

/** The new master may lack entries that were seen, and gives their ids again. */
async function readOn(
  context: FaultContext,
  { affected }: Shard,
  survived: ReadonlyMap<StreamRef, string>,
): Promise<void> {
  const { history, losses, tail, proposer, system } = context;
  const seen = new Map([...history.lastIds].filter(([ref]) => affected.has(placeOf(ref))));
  losses.add({ seen, survived }, history);
  // The replica may also have entries that were not read yet.
  const read = [...survived].map(([ref, id]) => {
    const last = seen.get(ref) ?? BEFORE_ALL;
    return [ref, isLater(id, last) ? last : id] as const;
  });
  tail.rewind(new Map(read), affected);
  const { partitions } = system.stored;
  proposer.forget((symbol) => affected.has("intake") || affected.has(partitions.of(symbol).number));
  // Whoever published these proposals may publish them again, although they were already executed.
  await proposer.repeat();
}

function placeOf(ref: StreamRef): Where {
  const [name, partition] = ref.split(":");
  return name === "proposal" ? "intake" : Number(partition);
}
