/**
 * A whole pipeline for one test: a Redis, the simulated exchange in this process, and services as separate processes.
 */
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { createExchangeSim, DEFAULT_MARKET, type SymbolSpec } from "@quantum/exchange-sim";
import { connectForCommands, disconnect } from "@quantum/redis";
import { demonstrationOf, type Place, SERVICES } from "@quantum/topology";
import { makeRunKeys } from "./run-keys.ts";
import { type ServiceProcess, startProgram, startService } from "./processes/process.ts";
import { startRedisServer } from "./servers/redis-server.ts";

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

export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig(market: readonly SymbolSpec[] = DEFAULT_MARKET) {
  const symbols = market.map(({ symbol }) => symbol);
  const redis = await startRedisServer({ appendonly: true });
  const sim = createExchangeSim({ seed: 1, market });
  const venueUrl = await sim.listen({ port: 0 });
  const client = connectForCommands({ url: redis.url, name: "rig", onError: () => undefined });
  const keysFolder = await makeRunKeys(join(redis.dir, "keys"));
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
    const stateFolder = join(redis.dir, `${instance}.state`);
    const own = environment(name, { redisUrl: redis.url, venueUrl, keysFolder, stateFolder, symbols });
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
  return {
    redis,
    client,
    keys: createKeys(),
    venueUrl,
    /** The keys of the issuers and of an operator; they go with Redis's data. */
    keysFolder,
    start: (name: string, env: Record<string, string> = {}) =>
      launch(name, env, (known) => startService(name, known)),
    /** Starts this service of an earlier release, without the variables that it does not know. */
    startEarlier: ({ folder, lacks }: EarlierRelease, name: string, env: Record<string, string> = {}) =>
      launch(name, env, (known) => {
        for (const variable of lacks) delete known[variable];
        return startProgram(name, join(folder, "services", name, "src/main.ts"), known);
      }),
    async simState(): Promise<SimState> {
      return (await (await fetch(`${venueUrl}/sim/state`)).json()) as SimState;
    },
    async stop(): Promise<void> {
      await Promise.all(services.map((service) => service.kill()));
      await disconnect(client);
      await sim.close();
      await redis.stop();
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
