/**
 * The life of a service: configuration, Redis, HTTP, start, graceful stop.
 *
 * SIGTERM and SIGINT stop it: no new entries are read, running handlers finish, what is left stays pending. Under a
 * launcher (an IPC channel) it also ends when the launcher does.
 */
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { createKeys, type Keys } from "@quantum/contract";
import {
  connectForBlocking,
  connectForCommands,
  connectForJobs,
  disconnect,
  readFacts,
  type RedisClient,
  RedisClock,
  type RedisFacts,
  unusable,
} from "@quantum/redis";
import { pythonConsumers, type StreamConsumer } from "@quantum/streams";
import type { FastifyInstance } from "fastify";
import { type Logger, pino } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { z } from "zod";
import { observeClock } from "./clock.ts";
import { ConfigError, type ConfigSource, describeConfig, readConfig, redisUrl } from "./config.ts";
import { createHttp, listen } from "./http.ts";
import { createLogOutput } from "./log-output.ts";
import { standardOutput } from "./output.ts";
import { reportable } from "./reportable.ts";
import { observeRedis } from "./redis-telemetry.ts";
import { observeConsumers } from "./stream-telemetry.ts";
import { startUpkeep } from "./upkeep.ts";

/** Longer than any handler takes; compose's stop_grace_period and systemd's TimeoutStopSec exceed it. */
const STOP_DEADLINE_MS = 10_000;
const REDIS_RETRY_MS = 1_000;
/** A consumer whose reads have not been answered for this long (several BLOCKs) is not ready. */
const PROGRESS_BOUND_MS = 20_000;
/** Long enough to be seen by whoever asks regularly. */
const LOSS_SHOWN_MS = 30_000;

/** What a started service hands back to its kit. Until `begin` it has changed nothing and taken up no work. */
export interface Running {
  /** Takes up what is not a consumer's work; the consumers are started after it. */
  begin?: () => Promise<void>;
  /** Started, observed and stopped by the kit, in this order. */
  consumers?: readonly StreamConsumer[];
  /** After the consumers have stopped, and whether or not `begin` was reached. */
  stop?: () => Promise<void>;
  /** What is not ready beyond Redis and the consumers. */
  readiness?: () => Promise<string[]>;
}

export interface BareContext<Config> {
  config: Config;
  log: Logger;
  registry: Registry;
  http: FastifyInstance;
  instance: string;
}

export interface RedisContext<Config> extends BareContext<Config> {
  keys: Keys;
  redis: RedisClient;
  facts: RedisFacts;
  connectForBlocking: () => RedisClient;
  connectForJobs: () => RedisClient;
}

interface Definition<Schema extends z.ZodObject> extends ConfigSource<Schema> {
  name: string;
  /** One line for `--help`. */
  summary: string;
  port: (config: z.output<Schema>) => number;
  level?: (config: z.output<Schema>) => string;
}

interface HttpConfig {
  HTTP_HOST: string;
  INSTANCE?: string | undefined;
}
interface RedisConfig extends HttpConfig {
  REDIS_URL?: string | undefined;
  REDIS_HOST: string;
  REDIS_PORT: number;
  REDIS_DB: number;
}

/** Runs a service that needs no Redis. */
export async function runBareService<Schema extends z.ZodObject>(
  definition: Definition<Schema> & { start: (context: BareContext<z.output<Schema>>) => Promise<Running> },
): Promise<void> {
  await run(definition, async (context) => {
    const running = await definition.start(context);
    return {
      running,
      readiness: async () => [],
      begin: async () => running.begin?.(),
      close: async () => running.stop?.(),
    };
  });
}

/** Runs a service on Redis: it starts when Redis answers and is usable. */
export async function runService<Schema extends z.ZodObject>(
  definition: Definition<Schema> & { start: (context: RedisContext<z.output<Schema>>) => Promise<Running> },
): Promise<void> {
  await run(definition, async (context) => {
    const { log, instance, registry } = context;
    const url = redisUrl(context.config as unknown as RedisConfig);
    const connection = (role: string) => ({
      url,
      name: `${instance}:${role}`.replaceAll(/\s/g, "_"),
      onError: (error: Error) => log.error({ err: error, role }, "Redis connection failed, reconnecting"),
    });
    const redis = connectForCommands(connection("commands"));
    const facts = await waitForRedis(redis, log);
    const clock = new RedisClock(redis);
    await clock.start();
    const clockProblems = observeClock(clock, registry);
    const keys = createKeys();
    observeRedis(redis, keys, registry);
    const running = await definition.start({
      ...context,
      keys,
      redis,
      facts,
      connectForBlocking: () => connectForBlocking(connection("blocking")),
      connectForJobs: () => connectForJobs(connection("jobs")),
    });
    const consumers = running.consumers ?? [];
    observeConsumers(consumers, redis, registry, log);
    const upkeep = startUpkeep(redis, consumers, log);
    return {
      running,
      begin: async () => {
        await running.begin?.();
        for (const consumer of consumers) await consumer.start();
      },
      close: async () => {
        await Promise.all([...consumers.map((consumer) => consumer.stop()), upkeep.stop()]);
        await running.stop?.();
        clock.stop();
        await disconnect(redis);
      },
      readiness: async () => {
        // Side by side: deadlines one after another would keep whoever asks waiting while Redis hangs.
        const [silence, ...sharing] = await Promise.all([
          redis.ping().then(
            () => [],
            (error: unknown) => [`Redis does not answer: ${(error as Error).message}`],
          ),
          ...consumers.map((consumer) => shared(redis, consumer)),
        ]);
        return [
          ...silence,
          ...clockProblems(),
          ...consumers.flatMap((consumer) => notReady(consumer)),
          ...sharing.flat(),
        ];
      },
    };
  });
}

function notReady({ stream, group, groupReady, groupLostAtMs, lastProgressMs }: StreamConsumer): string[] {
  if (!groupReady) return [`the group ${group} on ${stream} does not exist`];
  const lostMs = performance.now() - groupLostAtMs;
  if (lostMs < LOSS_SHOWN_MS)
    return [
      `the group ${group} on ${stream} was lost ${Math.round(lostMs / 1000)} s ago: it is read again from its beginning`,
    ];
  const silentMs = performance.now() - lastProgressMs;
  if (silentMs > PROGRESS_BOUND_MS)
    return [`no read of ${stream} was answered for ${Math.round(silentMs / 1000)} s`];
  return [];
}

/** Whether a Python service takes entries out of our group. Redis's silence is told of above. */
async function shared(redis: RedisClient, { stream, group }: StreamConsumer): Promise<string[]> {
  const names = await pythonConsumers(redis, stream, group).catch(() => []);
  if (names.length === 0) return [];
  return [`${names.join(", ")} reads ${stream} in our group ${group}: two of one role are at work, stop one`];
}

async function waitForRedis(redis: RedisClient, log: Logger): Promise<RedisFacts> {
  for (;;) {
    try {
      const facts = await readFacts(redis);
      const problems = unusable(facts);
      if (problems.length > 0) throw new ConfigError(problems);
      return facts;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      log.warn({ err: error }, "waiting for Redis");
      await delay(REDIS_RETRY_MS);
    }
  }
}

interface Started {
  running: Running;
  readiness: () => Promise<string[]>;
  /** Takes up work. */
  begin: () => Promise<void>;
  /** Stops everything that was started besides HTTP. */
  close: () => Promise<void>;
}

async function run<Schema extends z.ZodObject>(
  definition: Definition<Schema>,
  start: (context: BareContext<z.output<Schema>>) => Promise<Started>,
): Promise<void> {
  const { name } = definition;
  if (process.argv.includes("--help") || process.argv.includes("-h")) {
    standardOutput().block(
      `${name}: ${definition.summary}\n\nEnvironment (defaults in brackets):\n${describeConfig(definition)}`,
    );
    return;
  }
  let parsed: ReturnType<typeof readConfig<Schema>>;
  try {
    parsed = readConfig(definition, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    standardOutput("stderr").block(`${name}: ${error.message}`);
    process.exitCode = 2;
    return;
  }

  const { config, warnings } = parsed;
  const common = config as unknown as HttpConfig;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const life: { started?: Started } = {};
  const http = createHttp(registry, async () => {
    const { started } = life;
    if (started === undefined) return ["starting"];
    try {
      return [...(await started.readiness()), ...((await started.running.readiness?.()) ?? [])];
    } catch (error) {
      return [`readiness cannot be told: ${(error as Error).message}`];
    }
  });
  const stopSignal = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
    // Only under a launcher is there a channel, and its end is the launcher's end; it may have come already.
    process.once("disconnect", () => resolve("launcher gone"));
    if ("connected" in process && !process.connected) resolve("launcher gone");
  });

  const port = definition.port(config);
  const instance = common.INSTANCE ?? `${name}@${hostname()}:${port === 0 ? process.pid : port}`;
  const level = definition.level?.(config) ?? "info";
  const log = pino(
    { level, base: { service: name, instance }, serializers: { err: reportable } },
    createLogOutput(),
  );
  for (const warning of warnings) log.warn(warning);
  const begin = async () => {
    // Routes must be there before listening. Work is taken up after it: the port is part of the consumer's name, and
    // where it is taken, another process is at work under that name.
    life.started = await start({ config, log, registry, http, instance });
    const url = await listen(http, common.HTTP_HOST, port);
    await life.started.begin();
    log.info({ url }, `ready: ${name} at ${url} (its metrics are at /metrics)`);
  };
  try {
    await Promise.race([begin(), stopSignal]);
  } catch (error) {
    log.fatal({ err: error }, `${name} cannot start: ${(error as Error).message}`);
    process.exit(1);
  }
  const why = await stopSignal;
  log.info({ why }, "stopping");
  const late = setTimeout(() => {
    log.fatal(`not stopped within ${STOP_DEADLINE_MS} ms, leaving the rest pending`);
    process.exit(1);
  }, STOP_DEADLINE_MS);
  late.unref();
  await life.started?.close();
  await http.close();
  log.info("stopped");
  process.exit(0);
}
