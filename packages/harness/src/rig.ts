/**
 * A whole pipeline for one test: a Redis, the simulated exchange in this process, and services as separate processes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Keys } from "@quantum/contract";
import { createExchangeSim, DEFAULT_MARKET, type SymbolSpec } from "@quantum/exchange-sim";
import type { RedisClient } from "@quantum/redis";
import { demonstrationOf, type Place, SERVICES } from "@quantum/topology";
import { openPipelineRedis, type PipelineRedis } from "./pipeline-redis.ts";
import { makeRunKeys } from "./run-keys.ts";
import { type ServiceProcess, startProgram, startService } from "./processes/process.ts";
import { type RedisCluster, startRedisCluster } from "./servers/redis-cluster.ts";
import { startRedisServer, type TestRedis } from "./servers/redis-server.ts";
import { type ReplicatedRedis, startReplicatedRedis } from "./servers/replicated-redis.ts";

export const SYMBOLS = DEFAULT_MARKET.map(({ symbol }) => symbol);

/** A service's environment in a rig: any free port, no effective limits, no cooldown. */
function environment(name: string, place: Place): Record<string, string> {
  const service = SERVICES.find((candidate) => candidate.name === name);
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return {
    ...demonstrationOf(service, place),
    [service.portVariable]: "0",
  };
}

export interface EarlierRelease {
  /** The root of its source tree. */
  folder: string;
  /** Variables of the rig that it does not know. */
  lacks: readonly string[];
}

/** One server; a master with two replicas and three Sentinels; or three masters with a replica each. */
interface RedisOf {
  lone: TestRedis;
  sentinel: ReplicatedRedis;
  cluster: RedisCluster;
}
export type RigRedis = keyof RedisOf;

export interface RigOptions<Kind extends RigRedis = "lone"> {
  market?: readonly SymbolSpec[];
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
  /** Default `lone`. */
  redis?: Kind;
  /** Of a cluster: whether one of its masters can be cut off. Default false. */
  canIsolate?: boolean;
}

export interface Rig<Kind extends RigRedis = "lone"> {
  /** What runs: kill it, promote a replica, move a slot. */
  readonly redis: RedisOf[Kind];
  /** Of the services. */
  readonly redisUrl: string;
  /** What the services keep, by partition: `stored.partitions.of(symbol).keys`. */
  readonly stored: PipelineRedis;
  /** Of partition 0, which is everything where there is one. */
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly venueUrl: string;
  /** The keys of the issuers and of an operator; they go with Redis's data. */
  readonly keysFolder: string;
  start(name: string, env?: Record<string, string>): Promise<ServiceProcess>;
  /** Starts this service of an earlier release, without the variables that it does not know. */
  startEarlier(release: EarlierRelease, name: string, env?: Record<string, string>): Promise<ServiceProcess>;
  simState(): Promise<SimState>;
  stop(): Promise<void>;
}

const START: {
  [Kind in RigRedis]: (partitions: number, canIsolate: boolean) => Promise<RedisOf[Kind]>;
} = {
  lone: (partitions) => startRedisServer({ appendonly: true, partitions }),
  sentinel: (partitions) => startReplicatedRedis({ partitions, config: { appendonly: "yes" } }),
  cluster: (partitions, canIsolate) =>
    startRedisCluster({ replicas: 1, partitions, canIsolate, config: { appendonly: "yes" } }),
};

/** @param given the market alone, or all options */
export async function startRig<Kind extends RigRedis = "lone">(
  given: readonly SymbolSpec[] | RigOptions<Kind> = {},
): Promise<Rig<Kind>> {
  const options: RigOptions<Kind> = "length" in given ? { market: given } : given;
  const { market = DEFAULT_MARKET, partitions = 1 } = options;
  const kind = options.redis ?? ("lone" as Kind);
  const symbols = market.map(({ symbol }) => symbol);
  const redis = await START[kind](partitions, options.canIsolate ?? false);
  const { url: redisUrl } = redis;
  const folder = await mkdtemp(join(tmpdir(), "quantum-rig-"));
  const sim = createExchangeSim({ seed: 1, market });
  const venueUrl = await sim.listen({ port: 0 });
  const stored = openPipelineRedis({ url: redisUrl, partitions, name: "rig" });
  const keysFolder = await makeRunKeys(join(folder, "keys"));
  const services: ServiceProcess[] = [];
  /** Names in use. A service that keeps state and is started after its end has its name and folder again. */
  const names = new Set<string>();
  const freeName = (name: string) => {
    let no = 1;
    while (names.has(`${name}@rig-${no}`)) no += 1;
    return `${name}@rig-${no}`;
  };
  const launch = async (
    name: string,
    env: Record<string, string>,
    start: (env: Record<string, string>) => Promise<ServiceProcess>,
  ): Promise<ServiceProcess> => {
    const instance = env["INSTANCE"] ?? freeName(name);
    names.add(instance);
    const stateFolder = join(folder, `${instance}.state`);
    const own = environment(name, { redisUrl, partitions, venueUrl, keysFolder, stateFolder, symbols });
    const keepsState = Object.values(own).includes(stateFolder);
    try {
      const service = await start({ ...own, ...(keepsState && { INSTANCE: instance }), ...env });
      services.push(service);
      void service.exited.then(() => names.delete(instance));
      return service;
    } catch (error) {
      names.delete(instance);
      throw error;
    }
  };
  const { keys, redis: client } = stored.partitions.account;
  return {
    redis,
    redisUrl,
    stored,
    client,
    keys,
    venueUrl,
    keysFolder,
    start: (name, env = {}) => launch(name, env, (known) => startService(name, known)),
    startEarlier: ({ folder: root, lacks }, name, env = {}) =>
      launch(name, env, (known) => {
        for (const variable of lacks) delete known[variable];
        return startProgram(name, join(root, "services", name, "src/main.ts"), known);
      }),
    async simState() {
      return (await (await fetch(`${venueUrl}/sim/state`)).json()) as SimState;
    },
    async stop() {
      await Promise.all(services.map((service) => service.kill()));
      await stored.close();
      await sim.close();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface SimState {
  orders: {
    clientOrderId: string;
    orderId: string;
    symbol: string;
    origin: string;
    executedQty: string;
    status: string;
  }[];
}

/** How many orders the pipeline placed, by plan id. */
export function ordersByPlan(state: SimState): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { origin, clientOrderId } of state.orders) {
    const plan = /^qp-([0-9a-f]{16})-\d+$/.exec(clientOrderId)?.[1];
    if (origin === "api" && plan !== undefined) counts.set(plan, (counts.get(plan) ?? 0) + 1);
  }
  return counts;
}
