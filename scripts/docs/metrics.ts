/** Every metric, from the functions that register them. */
import { EventEmitter } from "node:events";
import { createKeys } from "@quantum/contract";
import { Counter, Gauge, Histogram, type Metric, Registry, Summary } from "prom-client";
import { RedisClock } from "../../packages/redis/src/index.ts";
import { observeClock } from "../../packages/service-kit/src/clock.ts";
import { observeExchange } from "../../packages/service-kit/src/exchange-pauses.ts";
import { countDropped } from "../../packages/service-kit/src/log.ts";
import { observeReadiness } from "../../packages/service-kit/src/readiness-telemetry.ts";
import { observeRedis } from "../../packages/service-kit/src/redis-telemetry.ts";
import { observeConsumers } from "../../packages/service-kit/src/stream-telemetry.ts";
import { observe as observeApplyLayer } from "../../services/apply-layer/src/telemetry.ts";
import { observe as observeExecutor } from "../../services/executor/src/telemetry.ts";
import { observeGovernor } from "../../services/governor/src/telemetry.ts";
import { observeFeed } from "../../services/harvest-feed/src/telemetry.ts";
import { observe as observePositionBrain } from "../../services/position-brain/src/telemetry.ts";
import { code, codes, page, table } from "./markdown.ts";

/** Whatever a telemetry is given: it only subscribes to it here, nothing happens, and nothing is scraped. */
const idle = () => new EventEmitter() as never;

const REGISTRATIONS: readonly { title: string; register: (registry: Registry) => void }[] = [
  {
    title: "Every service on Redis",
    register: (registry) => {
      observeRedis(idle(), createKeys(), registry);
      observeClock(new RedisClock(idle()), registry);
      observeReadiness(idle(), registry);
      countDropped(registry);
    },
  },
  {
    title: "Every service on Redis, for each stream and consumer group that it reads",
    register: (registry) => observeConsumers([], idle(), registry, idle()),
  },
  {
    title: "position-brain and executor: the exchange",
    register: (registry) => observeExchange({ endpoints: [], pauses: idle(), registry, log: idle() }),
  },
  {
    title: "apply-layer (8043)",
    register: (registry) =>
      observeApplyLayer({
        events: idle(),
        wait: idle(),
        registry,
        log: idle(),
        symbols: new Set(),
        required: [],
        waitBudgetMs: 0,
        halted: false,
      }),
  },
  {
    title: "governor (8044)",
    register: (registry) =>
      observeGovernor({
        governor: idle(),
        symbols: [],
        issuer: "governor",
        redis: idle(),
        keys: createKeys(),
        registry,
        log: idle(),
      }),
  },
  {
    title: "position-brain (8045)",
    register: (registry) =>
      observePositionBrain({
        brain: idle(),
        operator: idle(),
        refresh: idle(),
        pairs: idle(),
        allowlist: new Set(),
        registry,
        log: idle(),
      }),
  },
  {
    title: "executor (8049)",
    register: (registry) =>
      observeExecutor({ events: idle(), questions: idle(), registry, log: idle(), now: Date.now }),
  },
  {
    title: "harvest-feed (8098)",
    register: (registry) => observeFeed(idle(), [], registry, idle()),
  },
];

export function renderMetrics(): string {
  return page(
    "Metrics",
    "At `/metrics` of each service. Labels come from closed sets: symbols of the configuration, [reasons](reasons.md), issuers, streams; whatever else comes is `other`. A plan id is never a label. What is normal: [operations.md](operations.md).",
    "Every service, exchange-sim (8099) too, also has prom-client's own `process_*` and `nodejs_*` metrics.",
    ...REGISTRATIONS.flatMap(({ title, register }) => [`## ${title}`, metricTable(register)]),
  );
}

function metricTable(register: (registry: Registry) => void): string {
  const registry = new Registry();
  register(registry);
  return table(
    ["metric", "type", "labels", "meaning"],
    registry.getMetricsAsArray().map(({ name, help }) => {
      const metric = registry.getSingleMetric(name);
      if (metric === undefined) throw new Error(`${name} has gone from its registry`);
      return [code(name), typeOf(metric), codes(labelsOf(metric)), `${help}${bucketsOf(metric)}`];
    }),
  );
}

function typeOf(metric: Metric): string {
  if (metric instanceof Counter) return "counter";
  if (metric instanceof Gauge) return "gauge";
  if (metric instanceof Histogram) return "histogram";
  if (metric instanceof Summary) return "summary";
  throw new Error("a metric of a new type");
}

/** prom-client keeps both without declaring them. */
interface Undeclared {
  labelNames?: readonly string[];
  upperBounds?: readonly number[];
}

function labelsOf(metric: Metric): readonly string[] {
  return (metric as unknown as Undeclared).labelNames ?? [];
}

function bucketsOf(metric: Metric): string {
  const bounds = (metric as unknown as Undeclared).upperBounds;
  return bounds === undefined ? "" : `; buckets ${bounds.join(" ")}`;
}
