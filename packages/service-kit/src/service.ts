/**
 * The life cycle of a service: configuration, HTTP, start, graceful stop.
 *
 * SIGTERM and SIGINT stop it: it reads no new entries and lets running handlers finish; the rest stays pending. Under a
 * launcher (with an IPC channel) it also stops when the launcher exits.
 */
import { hostname } from "node:os";
import type { StreamConsumer } from "@quantum/streams";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { z } from "zod";
import { observeBuild } from "./build.ts";
import { configuredBy, type Program, REFUSED } from "./command-line.ts";
import type { CommonConfig } from "./service-config.ts";
import { ConfigError } from "./config.ts";
import { createHttp } from "./http.ts";
import { createLog } from "./log.ts";
import { Progress } from "./progress.ts";
import { observeReadiness } from "./readiness-telemetry.ts";
import { traceOfLine } from "./tracing.ts";
import { isTracing } from "./tracing-config.ts";

/** Longer than any handler takes. Compose's stop_grace_period and systemd's TimeoutStopSec are longer still. */
const STOP_DEADLINE_MS = 10_000;

/** Exit code of a failure that may not occur at the next start. */
const FAILED = 1;

/** What a service's start returns. Until `begin` the service has changed nothing and taken no work. */
export interface Running {
  /** Starts work other than the consumers', which start after it. */
  begin?: () => Promise<void>;
  /** The kit starts, observes and stops them, in this order. */
  consumers?: readonly StreamConsumer[];
  /** Runs after the consumers have stopped, even if `begin` was never called. */
  stop?: () => Promise<void>;
  /** Readiness problems other than those of Redis and the consumers. */
  readiness?: () => Promise<string[]>;
  /** What /readyz says besides, such as for whom a ready service stands by. */
  note?: () => string | undefined;
}

export interface BareContext<Config> {
  config: Config;
  log: Logger;
  registry: Registry;
  /** Accepts routes until `start` resolves. */
  http: FastifyInstance;
  /** Where HTTP listens: `http://<HTTP_HOST>:<port>`, with the actual port. */
  url: string;
  instance: string;
  /** Sets what the start is waiting for, as text or as a function that /readyz calls; undefined: nothing. */
  waiting: (what: string | (() => string) | undefined) => void;
  /** Loops and attempts register here, so that /readyz names any that make no progress. */
  progress: Progress;
}

export interface Definition<Schema extends z.ZodObject> extends Program<Schema> {
  port: (config: z.output<Schema>) => number;
  /** Where more than a few scrapers and operators connect. */
  connectionsMax?: number;
  level?: (config: z.output<Schema>) => string;
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

interface Started {
  running: Running;
  readiness: () => Promise<string[]>;
  /** Starts the work. */
  begin: () => Promise<void>;
  /** Stops everything that was started, except HTTP. */
  close: () => Promise<void>;
}

export async function run<Schema extends z.ZodObject>(
  definition: Definition<Schema>,
  start: (context: BareContext<z.output<Schema>>) => Promise<Started>,
): Promise<void> {
  const { name, connectionsMax } = definition;
  const configured = configuredBy(definition);
  if (configured === undefined) return;

  const { config, warnings } = configured;
  const common = config as unknown as CommonConfig;
  const port = definition.port(config);
  // A port that is not known yet is not taken for one: others ask a service at the port in its name.
  const instance = common.INSTANCE ?? `${name}@${hostname()}:${port === 0 ? `pid${process.pid}` : port}`;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  observeBuild(registry);
  const progress = new Progress();
  const life: { started?: Started; waitsFor?: string | (() => string) | undefined } = {};
  const readiness = async () => {
    const { started, waitsFor: waited } = life;
    if (started === undefined) {
      if (waited === undefined) return ["starting"];
      return [`waiting for ${typeof waited === "string" ? waited : waited()}`];
    }
    try {
      const found = [await started.readiness(), (await started.running.readiness?.()) ?? []];
      return [...found.flat(), ...progress.problems()];
    } catch (error) {
      return [`readiness cannot be told: ${(error as Error).message}`];
    }
  };
  const http = createHttp(registry, readiness, {
    instance,
    connectionsMax,
    note: () => life.started?.running.note?.(),
  });
  observeReadiness(readiness, registry);
  const stopSignal = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
    // The channel exists only under a launcher and ends with it. It may have ended already.
    process.once("disconnect", () => resolve("launcher gone"));
    if ("connected" in process && !process.connected) resolve("launcher gone");
  });

  const level = definition.level?.(config) ?? "info";
  const log = createLog(
    { level, base: { service: name, instance }, ...(isTracing(common) && { mixin: traceOfLine }) },
    registry,
  );
  for (const warning of warnings) log.warn(warning);
  const begin = async () => {
    // HTTP comes first, so that /readyz can say what the start waits for. Work comes after HTTP, because the port is
    // part of the consumer's name: if it is taken, another process is working under that name.
    const url = await http.listen(common.HTTP_HOST, port);
    const waiting: BareContext<unknown>["waiting"] = (what) => void (life.waitsFor = what);
    life.started = await start({ config, log, registry, http: http.app, url, instance, waiting, progress });
    await http.open();
    await life.started.begin();
    progress.begin();
    log.info({ url }, `ready: ${name} at ${url} (its metrics are at /metrics)`);
  };
  try {
    await Promise.race([begin(), stopSignal]);
  } catch (error) {
    if (error instanceof ConfigError) {
      const { violations } = error;
      log.fatal({ violations }, `${name} cannot start: ${violations.join("; ")}`);
      process.exit(REFUSED);
    }
    log.fatal({ err: error }, `${name} cannot start: ${(error as Error).message}`);
    process.exit(FAILED);
  }
  const why = await stopSignal;
  log.info({ why }, "stopping");
  const late = setTimeout(() => {
    log.fatal(`not stopped within ${STOP_DEADLINE_MS} ms, leaving the rest pending`);
    process.exit(FAILED);
  }, STOP_DEADLINE_MS);
  late.unref();
  await life.started?.close();
  await http.close();
  log.info("stopped");
  process.exit(0);
}
