/** The executor's logs and metrics (docs/wire.md, "Log lines"). */
import { ORDER_REASONS } from "@quantum/contract";
import { sharedReading, type Stages } from "@quantum/service-kit";
import { Counter, Gauge, Histogram } from "prom-client";
import { SETTLED_BY } from "./decide.ts";
import { type ExitTelemetryOptions, observeExits } from "./exit/telemetry.ts";
import type { Queries } from "./queries.ts";
import { PERMIT_FLAWS } from "./verify.ts";

const REASONS: ReadonlySet<string> = new Set(ORDER_REASONS);
const MS_PER_SECOND = 1000;
/** From a simulator's answer to a timeout, in seconds. */
const CALL_BUCKETS_SEC = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8];

export interface TelemetryOptions extends ExitTelemetryOptions {
  /** Of each partition, with its name and its Redis's clock, in ms. */
  partitions: readonly { name: string; queries: Pick<Queries, "listDoubts">; now: () => number }[];
  stages: Stages;
  /** Issuers whose permits are believed without a signature. */
  unsigned: ReadonlySet<string>;
}

export function observe(options: TelemetryOptions): void {
  const { events, registry, log } = options;
  const registers = [registry];
  const outcomes = new Counter({
    name: "quantum_order_outcomes_total",
    help: "Orders that ended, by outcome and reason (none: executed)",
    labelNames: ["outcome", "reason"] as const,
    registers,
  });
  // An alert uses the increase, which needs a value before the first event.
  outcomes.inc({ outcome: "NOT_PLACED", reason: "handover_lost" }, 0);
  const settled = new Counter({
    name: "quantum_orders_settled_total",
    help: "Claimed orders that ended, by what showed it first: the answer to the placement, an event of the user data stream, a query; unsent: it could not be journaled",
    labelNames: ["by"] as const,
    registers,
  });
  for (const by of SETTLED_BY) settled.inc({ by }, 0);
  const doubts = new Counter({
    name: "quantum_order_doubts_total",
    help: "Orders that came into doubt, by cause",
    labelNames: ["doubt"] as const,
    registers,
  });
  const calls = new Histogram({
    name: "quantum_exchange_call_seconds",
    help: "Requests to the exchange",
    labelNames: ["endpoint", "outcome"] as const,
    buckets: CALL_BUCKETS_SEC,
    registers,
  });
  const corrections = new Counter({
    name: "quantum_order_corrections_total",
    help: "Orders that showed up at the exchange after they had been settled as not placed",
    registers,
  });
  const distrusted = new Counter({
    name: "quantum_permits_distrusted_total",
    help: "Execute entries whose permits are not what the issuers signed; nothing was sent",
    labelNames: ["reason"] as const,
    registers,
  });
  for (const reason of PERMIT_FLAWS) distrusted.inc({ reason }, 0);
  new Gauge({
    name: "quantum_executor_unsigned_issuers",
    help: "Issuers whose permits are believed without a signature",
    registers,
    collect() {
      this.set(options.unsigned.size);
    },
  });
  const owner = new Gauge({
    name: "quantum_executor_owner",
    help: "1 if this executor owns the orders, of the partition if there are several; 0 if it stands by",
    labelNames: ["partition"] as const,
    registers,
  });
  for (const { name } of options.partitions) owner.set(labelsOf(name), 0);
  gaugeDoubts(options);
  observeExits(options);

  const ended = (outcome: string, reason: string) =>
    outcomes.inc({ outcome, reason: reason === "" ? "none" : REASONS.has(reason) ? reason : "other" });

  events.on("passed", (passed) => options.stages.passed(passed));
  events.on("claimed", (order) =>
    log.info(order, `${order.symbol}: Sending ${order.side} ${order.quantity} MARKET reduceOnly`),
  );
  events.on("settled", (order) => {
    const { symbol, orderId, outcome, reason, by } = order;
    ended(outcome, reason);
    settled.inc({ by });
    if (outcome === "EXECUTED") {
      log.info(order, `${symbol}: Order ${orderId || order.detail} executed successfully`);
      log.info(order, `${symbol}: Result published (executed=True, error=None)`);
    } else {
      log.warn(order, `${symbol}: Order ended ${outcome}`);
      log.warn(order, `${symbol}: Result published (executed=False, error=${reason})`);
    }
  });
  events.on("refused", (order) => {
    ended("NOT_PLACED", order.reason);
    log.warn(order, `${order.symbol}: Result published (executed=False, error=${order.reason})`);
  });
  events.on("distrusted", (entry) => {
    distrusted.inc({ reason: entry.reason });
    log.error(
      entry,
      `${entry.symbol}: Permits of plan ${entry.planId} are not believed (${entry.reason}): ${entry.why}`,
    );
  });
  events.on("doubted", (order) => {
    doubts.inc({ doubt: order.doubt });
    log.warn(order, `${order.symbol}: Order in doubt (${order.doubt}), asking the exchange`);
  });
  events.on("unresolved", (order) => log.info(order, `${order.symbol}: Order still in doubt: ${order.why}`));
  events.on("corrected", (order) => {
    const { symbol, orderId } = order;
    corrections.inc();
    log.error(
      order,
      `${symbol}: Order ${orderId} was executed although its result was NOT_PLACED: corrected`,
    );
    log.info(order, `${symbol}: Result published (executed=True, error=None)`);
  });
  events.on("paused", (pause) =>
    log.warn(pause, `no orders for ${pause.pauseMs} ms: the exchange asks for a pause`),
  );
  events.on("rewound", (rewound) =>
    log.warn(rewound, "Redis was restarted or replaced: orders of plans opened before are queried, not sent"),
  );
  events.on("owned", (ownership) => {
    owner.set(labelsOf(ownership.partition), 1);
    log.info(ownership, "owns the orders: those with older permits are queried, not sent");
  });
  events.on("stoodBy", (ownership) => log.info(ownership, `standing by for ${ownership.owner}`));
  events.on("disowned", (ownership) => {
    owner.set(labelsOf(ownership.partition), 0);
    log.warn(ownership, "no longer owns the orders: reads no entries until it does again");
  });
  events.on("called", ({ endpoint, outcome, tookMs }) =>
    calls.observe({ endpoint, outcome }, tookMs / MS_PER_SECOND),
  );
  events.on("failed", ({ doing, error, ...where }) =>
    log.error({ err: error, ...where }, `failed to ${doing}, trying again`),
  );
}

/** The only partition of the wire's layout has no label. */
function labelsOf(partition = ""): { partition?: string } {
  return partition === "" ? {} : { partition };
}

function gaugeDoubts({ partitions, registry }: TelemetryOptions): void {
  const registers = [registry];
  // Each with its own last reading: one that is away keeps its orders in the sum.
  const readings = partitions.map(({ queries, now }) => {
    const claimTimes = sharedReading(async () => {
      const doubts = await queries.listDoubts();
      // An order in doubt without a claim time counts, but has no age.
      return doubts.map((claimedAtMs) => claimedAtMs ?? now());
    });
    return async () => (await claimTimes())?.map((claimedAtMs) => now() - claimedAtMs);
  });
  /** The ages of all orders in doubt, in ms; undefined until one partition was read. */
  const readAges = async () => {
    const read = (await Promise.all(readings.map((reading) => reading()))).filter(
      (ages) => ages !== undefined,
    );
    return read.length === 0 ? undefined : read.flat();
  };
  new Gauge({
    name: "quantum_orders_in_doubt",
    help: "Orders whose outcome is UNKNOWN, of all executors together",
    registers,
    async collect() {
      const ages = await readAges();
      if (ages !== undefined) this.set(ages.length);
    },
  });
  new Gauge({
    name: "quantum_orders_in_doubt_oldest_seconds",
    help: "Age of the oldest order in doubt since its claim, 0 without one",
    registers,
    async collect() {
      const ages = await readAges();
      if (ages !== undefined) this.set(ages.length === 0 ? 0 : Math.max(...ages) / MS_PER_SECOND);
    },
  });
}
