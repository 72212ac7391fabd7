/** What a campaign attacks: a Redis, an exchange, and every service as a process behind proxies of its own. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect } from "@quantum/redis";
import {
  canShiftRedisClock,
  type FaultProxy,
  type ProxyFrame,
  type ServiceProcess,
  startFaultProxy,
  startRedisServer,
  startService,
  type TestRedis,
  type Verdict,
} from "@quantum/testkit";
import { readSymbols } from "../start/evidence.ts";
import { type Environment, PORTS } from "../start/services.ts";

export const SERVICES = ["apply-layer", "governor", "position-brain", "executor"] as const;
export type ServiceName = (typeof SERVICES)[number];
/** Those that speak to the exchange, each through a proxy. */
const TRADERS: ReadonlySet<ServiceName> = new Set(["position-brain", "executor"]);

const ROOT = join(import.meta.dirname, "../..");
const COMPILE_CACHE = join(ROOT, ".cache/node");
/** As a URL: NODE_OPTIONS is split at the blanks of a path. */
const CLOCK = pathToFileURL(join(import.meta.dirname, "clock.preload.ts")).href;
/** As a supervisor that restarts what has died. */
const RESTART_PAUSE_MS = 300;
const RESTARTS = 10;
/** The most that the governor can count to, about. */
const UNLIMITED = "80000000";

/** What differs from the services' defaults: limits that would end a campaign, and shorter doubts, so that more fit in. */
const PROFILE: Readonly<Record<ServiceName, Environment>> = {
  "apply-layer": { APPLY_MODE: "paper" },
  governor: {
    GOV_MAX_EXEC_PER_HOUR: UNLIMITED,
    GOV_MAX_EXEC_PER_5MIN: UNLIMITED,
    GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: UNLIMITED,
    GOV_MAX_REDUCE_QTY_PER_DAY: UNLIMITED,
    // Orders that an exchange refuses on purpose would disarm everything.
    GOV_ENABLE_AUTO_DISARM: "false",
  },
  "position-brain": { P33_COOLDOWN_SEC: "0", P33_POLL_SEC: "1" },
  executor: { EXECUTOR_TIMEOUT_MS: "1000", EXECUTOR_RECV_WINDOW_MS: "2000", EXECUTOR_ABSENCE_SEC: "3" },
};

export interface Member {
  readonly name: ServiceName;
  readonly redisProxy: FaultProxy;
  readonly exchangeProxy: FaultProxy | undefined;
  process: ServiceProcess;
  /** False while a fault has it down, or frozen. */
  up: boolean;
  /** Asked about every frame of its Redis connections and, in `exchange`, of its HTTP ones. */
  onFrame: ((frame: ProxyFrame & { server: "redis" | "exchange" }) => Verdict) | undefined;
  clock(shiftMs: number): Promise<void>;
  launch(): Promise<ServiceProcess>;
}

export type World = Awaited<ReturnType<typeof startWorld>>;

export interface WorldOptions {
  seed: number;
  /** Takes the data of this run. */
  dir: string;
  /** Something ended that nobody ended. */
  onExit: (name: string, how: string) => void;
}

export async function startWorld({ seed, dir, onExit }: WorldOptions, resources: AsyncDisposableStack) {
  const canShiftRedis = await canShiftRedisClock();
  const redis = await startRedisServer({
    clock: canShiftRedis,
    appendonly: true,
    appendfsync: "everysec",
    // A rewrite in the middle would take away the log that a power loss cuts.
    config: { "auto-aof-rewrite-percentage": "0" },
  });
  resources.defer(() => redis.stop());
  const client = connectForCommands({ url: redis.url, name: "chaos", onError: () => undefined });
  resources.defer(() => disconnect(client));
  const exchange = await startService("exchange-sim", { EXCHANGE_SIM_PORT: "0", SIM_SEED: String(seed) });
  resources.defer(async () => void (await exchange.kill()));
  const symbols = await readSymbols(exchange.url);

  const members = new Map<ServiceName, Member>();
  const stopping = new AbortController();
  resources.defer(async () => {
    stopping.abort();
    await Promise.all([...members.values()].map(({ process }) => process.kill()));
  });
  const enroll = async (name: ServiceName) => {
    const member = await createMember(name, {
      redis,
      exchangePort: portOf(exchange.url),
      symbols,
      dir,
      resources,
    });
    members.set(name, member);
    void watch(member);
  };
  const watch = async (member: Member) => {
    const { process } = member;
    const { code, signal } = await process.exited;
    if (stopping.signal.aborted || !member.up || member.process !== process) return;
    onExit(member.name, `ended by itself with ${code ?? signal}`);
    await restart(member);
  };
  /** Starts a service that has ended, as often as it takes. */
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
        onExit(member.name, `did not start: ${(error as Error).message.split("\n").at(-1)}`);
        if (attempt === RESTARTS) throw error;
      }
    }
  };

  await Promise.all(SERVICES.map(enroll));
  return {
    redis,
    /** Else the fault `time` steps services' clocks only. */
    canShiftRedis,
    client,
    keys: createKeys(),
    exchangeUrl: exchange.url,
    exchange,
    symbols,
    // Not in the order in which they were ready: the same seed is to throw at the same ones.
    members: SERVICES.flatMap((name) => members.get(name) ?? []),
    /** SIGKILL, and back as its supervisor would bring it. */
    async killAndRestart(member: Member): Promise<void> {
      member.up = false;
      await member.process.kill();
      await restart(member);
    },
    restart,
  };
}

async function createMember(
  name: ServiceName,
  place: {
    redis: TestRedis;
    exchangePort: number;
    symbols: readonly string[];
    dir: string;
    resources: AsyncDisposableStack;
  },
): Promise<Member> {
  const clockFile = join(place.dir, `${name}.clock`);
  const state: { onFrame: Member["onFrame"] } = { onFrame: undefined };
  const judge = (server: "redis" | "exchange") => (frame: ProxyFrame) =>
    state.onFrame?.({ ...frame, server }) ?? "pass";
  const redisProxy = await startFaultProxy({
    upstream: { port: place.redis.port },
    protocol: "resp",
    onFrame: judge("redis"),
  });
  place.resources.defer(() => redisProxy.close());
  const exchangeProxy = TRADERS.has(name)
    ? await startFaultProxy({
        upstream: { port: place.exchangePort },
        protocol: "http",
        onFrame: judge("exchange"),
      })
    : undefined;
  if (exchangeProxy !== undefined) place.resources.defer(() => exchangeProxy.close());

  const symbols = place.symbols.join();
  const { variable } = PORTS[name];
  const environment = {
    REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
    BINANCE_BASE_URL: `http://127.0.0.1:${exchangeProxy?.port ?? place.exchangePort}`,
    ...(exchangeProxy && { BINANCE_TESTNET_API_KEY: "sim-key", BINANCE_TESTNET_API_SECRET: "sim-secret" }),
    ...(name === "position-brain" && { P33_ALLOWLIST: symbols }),
    ...(name === "apply-layer" && { SYMBOLS: symbols, APPLY_ALLOWLIST: symbols }),
    ...(name === "governor" && { SYMBOLS: symbols }),
    ...PROFILE[name],
    [variable]: "0",
    // Fixed, so that a restart resumes what its predecessor had been given.
    INSTANCE: `${name}@chaos`,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    NODE_OPTIONS: `--import ${CLOCK}`,
    CHAOS_CLOCK_FILE: clockFile,
  };
  const launch = () => startService(name, environment);
  const process = await launch();
  return {
    name,
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
