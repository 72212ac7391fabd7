/** The system under attack: Redis, an exchange, and every service as a process behind its own proxies. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  type FaultProxy,
  type ProxyFrame,
  makeRunKeys,
  openPipelineRedis,
  readSymbols,
  type ServiceProcess,
  startFaultProxy,
  startService,
  type FrameAction,
} from "@quantum/harness";
import {
  demonstrationOf,
  type Environment,
  pipelineOf,
  type PipelineName,
  type Service,
  serviceOf,
} from "@quantum/topology";
import { type RedisKind, type RedisServers, startRedisServers } from "./redis-servers.ts";

/** As a URL: NODE_OPTIONS is split at the blanks of a path. An entry, which programs outside the repository load, too. */
const CLOCK = pathToFileURL(join(import.meta.dirname, "../../scripts/chaos/clock.preload.ts")).href;
/** Restarts dead services like a supervisor. */
const RESTART_PAUSE_MS = 300;
const RESTARTS = 10;
/** Differs from other demonstrations: orders stay in doubt for a shorter time, so that a campaign has more of them. */
const PROFILE: Partial<Record<PipelineName, Environment>> = {
  // Refusals injected at the exchange would otherwise disarm the pipeline.
  governor: { GOV_ENABLE_AUTO_DISARM: "false" },
  // What no event told is found within seconds, too.
  "position-brain": { P33_POLL_SEC: "1", P33_AUDIT_SEC: "5" },
  // The load closes each symbol again and again.
  "portfolio-gate": { P26_COOLDOWN_SEC: "0" },
  executor: { EXECUTOR_TIMEOUT_MS: "1000", EXECUTOR_RECV_WINDOW_MS: "2000" },
};

/** Who has to grant, by the two services that ask for it. */
const REQUIRED: Partial<Record<PipelineName, (issuers: string) => Environment>> = {
  "apply-layer": (issuers) => ({ APPLY_REQUIRED_PERMITS: issuers }),
  executor: (issuers) => ({ EXECUTOR_REQUIRED_ISSUERS: issuers }),
};

type HostedService = ReturnType<typeof pipelineOf>[number];

export interface Member {
  readonly name: PipelineName;
  readonly service: Service;
  /** Undefined where it reaches Redis directly: no proxy follows the addresses that a cluster names. */
  readonly redisProxy: FaultProxy | undefined;
  readonly exchangeProxy: FaultProxy | undefined;
  process: ServiceProcess;
  /** False while a fault stops or freezes it. */
  up: boolean;
  /** Called for every frame of its connections to Redis and to the exchange. */
  onFrame: ((frame: ProxyFrame & { server: "redis" | "exchange" }) => FrameAction) | undefined;
  clock(shiftMs: number): Promise<void>;
  /** With another instance name, it is a replica. */
  launch(instance?: string): Promise<ServiceProcess>;
}

export function proxyOf({ name, redisProxy }: Member): FaultProxy {
  if (redisProxy === undefined) throw new Error(`${name} reaches Redis without a proxy`);
  return redisProxy;
}

export type System = Awaited<ReturnType<typeof startSystem>>;

export interface SystemOptions {
  seed: number;
  /** Whose permits every plan needs. */
  issuers: readonly string[];
  redis: RedisKind;
  /** Where this run's data is stored. */
  dir: string;
  /** Called when a process exits unexpectedly. */
  onExit: (what: string) => void;
}

export async function startSystem(
  { seed, issuers, redis, dir, onExit }: SystemOptions,
  resources: AsyncDisposableStack,
) {
  const services = pipelineOf(issuers);
  const servers = await startRedisServers(redis, resources);
  const stored = openPipelineRedis({ url: servers.url, partitions: servers.partitions, name: "chaos" });
  resources.defer(() => stored.close());
  const { keys, redis: client } = stored.partitions.account;
  const exchange = await startService("exchange-sim", {
    [serviceOf("exchange-sim").portVariable]: "0",
    SIM_SEED: String(seed),
    // Plans come faster than the venue's limits would allow; 429 and 418 are faults of the campaign.
    SIM_LIMITS: "off",
  });
  resources.defer(async () => void (await exchange.kill()));
  const symbols = await readSymbols(exchange.url);
  const keysFolder = await makeRunKeys(join(dir, "keys"));

  const members = new Map<PipelineName, Member>();
  const stopping = new AbortController();
  resources.defer(async () => {
    stopping.abort();
    await Promise.all([...members.values()].map(({ process }) => process.kill()));
  });
  const enroll = async (service: HostedService) => {
    const member = await createMember(service, {
      servers,
      exchangePort: portOf(exchange.url),
      symbols,
      keysFolder,
      issuers,
      dir,
      resources,
    });
    members.set(member.name, member);
    void watch(member);
  };
  const watch = async (member: Member) => {
    const { process } = member;
    const { code, signal } = await process.exited;
    if (stopping.signal.aborted || !member.up || member.process !== process) return;
    onExit(process.error(`exited unexpectedly with ${code ?? signal}`).message);
    // One that stays down is told of by the recovery, which then waits for it in vain.
    await restart(member).catch(() => undefined);
  };
  /** Starts a service that has exited, with retries. */
  const restart = async (member: Member): Promise<void> => {
    member.up = false;
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      await delay(RESTART_PAUSE_MS);
      try {
        member.process = await member.launch();
        member.up = true;
        void watch(member);
        return;
      } catch (error) {
        onExit(`${member.name} did not start: ${(error as Error).message.split("\n").at(-1)}`);
        if (attempt === RESTARTS) throw error;
      }
    }
  };

  await Promise.all(services.map(enroll));
  return {
    servers,
    stored,
    client,
    keys,
    exchangeUrl: exchange.url,
    exchange,
    symbols,
    keysFolder,
    issuers,
    // In a fixed order, so that the same seed chooses the same targets.
    members: services.flatMap(({ name }) => members.get(name) ?? []),
    /** SIGKILL, then a restart as by a supervisor. */
    async killAndRestart(member: Member): Promise<void> {
      member.up = false;
      await member.process.kill();
      await restart(member);
    },
    restart,
  };
}

async function createMember(
  service: HostedService,
  place: {
    servers: RedisServers;
    exchangePort: number;
    symbols: readonly string[];
    keysFolder: string;
    issuers: readonly string[];
    dir: string;
    resources: AsyncDisposableStack;
  },
): Promise<Member> {
  const { name } = service;
  const clockFile = join(place.dir, `${name}.clock`);
  const state: { onFrame: Member["onFrame"] } = { onFrame: undefined };
  const judge = (server: "redis" | "exchange") => (frame: ProxyFrame) =>
    state.onFrame?.({ ...frame, server }) ?? "pass";
  const redisProxy = await place.servers.proxy({ protocol: "resp", onFrame: judge("redis") });
  const exchangeProxy = service.needsVenue
    ? await startFaultProxy({
        upstream: { port: place.exchangePort },
        protocol: "http",
        onFrame: judge("exchange"),
      })
    : undefined;
  if (exchangeProxy !== undefined) place.resources.defer(() => exchangeProxy.close());

  const environment = {
    ...demonstrationOf(service, {
      redisUrl: redisProxy === undefined ? place.servers.url : `redis://127.0.0.1:${redisProxy.port}`,
      partitions: place.servers.partitions,
      venueUrl: `http://127.0.0.1:${exchangeProxy?.port ?? place.exchangePort}`,
      symbols: place.symbols,
      keysFolder: place.keysFolder,
      stateFolder: join(place.dir, `${name}.state`),
    }),
    ...PROFILE[name],
    ...REQUIRED[name]?.(place.issuers.join()),
    [service.portVariable]: "0",
    NODE_OPTIONS: `--import ${CLOCK}`,
    CHAOS_CLOCK_FILE: clockFile,
  };
  // Fixed, so that a restarted service resumes its own pending entries.
  const launch = (instance = `${name}@chaos`) => startService(name, { ...environment, INSTANCE: instance });
  const process = await launch();
  return {
    name,
    service,
    redisProxy,
    exchangeProxy,
    process,
    up: true,
    launch,
    get onFrame() {
      return state.onFrame;
    },
    set onFrame(judge) {
      state.onFrame = judge;
    },
    clock: (shiftMs) => writeFile(clockFile, String(shiftMs)),
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
