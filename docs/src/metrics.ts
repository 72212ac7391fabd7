/** Every metric, from the functions that register them. */
import { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { createKeys } from "@quantum/contract";
import { observeIssuer } from "@quantum/issuer";
import { type Service, serviceOf, SERVICES } from "@quantum/topology";
import { Counter, Gauge, Histogram, type Metric, Registry, Summary } from "prom-client";
import { observeBuild } from "../../packages/service-kit/src/build.ts";
import { observeClocks } from "../../packages/service-kit/src/clock.ts";
import { observeAccountStream } from "../../packages/service-kit/src/account-stream-telemetry.ts";
import { observeExchange } from "../../packages/service-kit/src/exchange-pauses.ts";
import { observeExchangeBudget } from "../../packages/service-kit/src/exchange-budget.ts";
import { observeExchangeClock } from "../../packages/service-kit/src/exchange-clock.ts";
import { countDropped } from "../../packages/service-kit/src/log.ts";
import { observeReadiness } from "../../packages/service-kit/src/readiness-telemetry.ts";
import { observeRedis } from "../../packages/service-kit/src/redis-telemetry.ts";
import { observeStages } from "../../packages/service-kit/src/stages.ts";
import { observeConsumers } from "../../packages/service-kit/src/stream-telemetry.ts";
import { code, codes, page, table } from "./markdown.ts";

/** Whatever a telemetry is given: it only subscribes to it here, nothing happens, and nothing is scraped. */
const idle = () => new EventEmitter() as never;

/** What a telemetry looks at when it registers. */
const NOTHING = {
  keys: createKeys(),
  symbols: [],
  allowlist: new Set<string>(),
  required: [],
  partitions: [],
  waits: [],
  waitBudgetMs: 0,
  halted: false,
};

const VENUE_SERVICES = SERVICES.filter(({ needsVenue }) => needsVenue).map(({ name }) => name);

const WATCHES = SERVICES.filter(({ watches }) => watches === true).map(({ name }) => name);

interface Registration {
  title: string;
  register: (registry: Registry) => void;
}

const REGISTRATIONS: readonly Registration[] = [
  {
    title: `Every service on Redis${WATCHES.length === 0 ? "" : ` but ${WATCHES.join(" and ")}`}`,
    register: (registry) => {
      observeRedis(idle(), registry);
      observeClocks([], registry);
      observeBuild(registry);
      observeReadiness(idle(), registry);
      observeStages(registry, undefined);
      countDropped(registry);
    },
  },
  {
    title: "Every service on Redis, for each stream and consumer group that it reads",
    register: (registry) => observeConsumers([], registry, idle()),
  },
  {
    title: `${VENUE_SERVICES.join(" and ")}: the exchange`,
    register: (registry) => {
      observeExchange({ endpoints: [], pauses: idle(), registry, log: idle() });
      observeExchangeBudget({ budget: idle(), registry });
      observeExchangeClock({ exchange: idle(), registry });
      observeAccountStream({
        stream: idle(),
        downReasons: [],
        gapReasons: [],
        types: [],
        registry,
        log: idle(),
      });
    },
  },
  ...(await Promise.all(SERVICES.map(ownMetrics))).flat(),
];

/** By convention, `observe` of a service's telemetry.ts registers its metrics and takes everything by name. */
async function ownMetrics({ name, port, issuer }: Service): Promise<Registration[]> {
  const title = `${name} (${port})`;
  const file = new URL(`../../services/${name}/src/telemetry.ts`, import.meta.url);
  if (!existsSync(file)) return issuer === undefined ? [] : [{ title, register: anyIssuers(issuer.name) }];
  const { observe } = (await import(file.href)) as { observe: (observed: object) => void };
  const register = (registry: Registry) => {
    const told = { ...NOTHING, registry, ...(issuer && { issuer: issuer.name }) };
    const anything = {
      get: (_: object, key: string) => (key in told ? told[key as keyof typeof told] : idle()),
    };
    observe(new Proxy(told, anything));
  };
  return [{ title, register }];
}

/** Of an issuer without a telemetry of its own. */
function anyIssuers(issuer: string): Registration["register"] {
  const labelOf = (symbol: string) => symbol;
  return (registry) =>
    observeIssuer({ handlers: idle(), registry, labelOf, issuer, reasons: [], log: idle() });
}

export function renderMetrics(): string {
  return page(
    "Metrics",
    "At `/metrics` of each service. Labels come from closed sets: symbols of the configuration, [reasons](reasons.md), issuers, streams; whatever else comes is `other`. A plan id is never a label. `partition` is one only where `PARTITIONS` is more than 1; `stream` is the wire's name in any case. What is normal: [operations.md](operations.md).",
    `Every service, exchange-sim (${serviceOf("exchange-sim").port}) too, also has prom-client's own \`process_*\` and \`nodejs_*\` metrics.`,
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
