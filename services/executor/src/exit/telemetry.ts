/** The metrics and log lines of operators' exits (docs/metrics.md). */
import { EXIT_STEP } from "@quantum/contract";
import { type Logger, sharedReading } from "@quantum/service-kit";
import { Counter, Gauge, type Registry } from "prom-client";
import { type ExecutorEmitter, RESTING_KINDS } from "../events.ts";
import type { ExitTrust } from "./verify-exit.ts";

const MS_PER_SECOND = 1000;
const SECONDS_PER_DAY = 86_400;

export interface ExitTelemetryOptions extends Pick<ExitTrust, "operatorKeys"> {
  events: ExecutorEmitter;
  /** By Redis's clock, in ms; undefined without a drill. */
  lastDrillMs: () => Promise<number | undefined>;
  /** EXIT_DRILL_DAYS. */
  drillDays: number;
  registry: Registry;
  log: Logger;
}

export function observeExits(options: ExitTelemetryOptions): void {
  const { events, registry, log } = options;
  const registers = [registry];
  new Gauge({
    name: "quantum_exit_keys",
    help: "Operators' keys that this executor knows; below 2, operators' exits are not armed",
    registers,
    collect() {
      this.set(options.operatorKeys().count);
    },
  });
  const lastDrill = sharedReading(options.lastDrillMs);
  new Gauge({
    name: "quantum_exit_last_drill_timestamp_seconds",
    help: "When an operator last drilled an exit, as a Unix time; 0 if never",
    registers,
    async collect() {
      this.set(((await lastDrill()) ?? 0) / MS_PER_SECOND);
    },
  });
  new Gauge({
    name: "quantum_exit_drill_max_age_seconds",
    help: "EXIT_DRILL_DAYS: an older drill raises an alert",
    registers,
  }).set(options.drillDays * SECONDS_PER_DAY);
  const ended = new Counter({
    name: "quantum_exit_orders_total",
    help: "Operators' exits that ended, by outcome; drills are not counted",
    labelNames: ["outcome"] as const,
    registers,
  });
  for (const outcome of ["EXECUTED", "REJECTED", "NOT_PLACED"] as const) ended.inc({ outcome }, 0);
  const cancels = new Counter({
    name: "quantum_exit_cancels_total",
    help: "Orders that operators' exits tried to cancel, by kind and outcome (gone: it was not open any more)",
    labelNames: ["kind", "outcome"] as const,
    registers,
  });
  for (const kind of RESTING_KINDS)
    for (const outcome of ["cancelled", "gone", "failed"] as const) cancels.inc({ kind, outcome }, 0);

  events.on("settled", ({ step, outcome }) => {
    if (step === EXIT_STEP) ended.inc({ outcome });
  });
  events.on("refused", ({ step, reason }) => {
    if (step === EXIT_STEP && reason !== "exit_drill") ended.inc({ outcome: "NOT_PLACED" });
  });
  events.on("exiting", (exit) =>
    log.warn(exit, `${exit.symbol}: ${exit.operator} closes ${exit.quantity} of ${exit.position}`),
  );
  events.on("cancelled", (order) => {
    const { symbol, kind, outcome, type, id, why } = order;
    cancels.inc({ kind, outcome });
    if (outcome === "failed")
      log.error(order, `${symbol}: ${type} ${kind} ${id} cannot be cancelled: ${why}`);
    else log.warn(order, `${symbol}: ${type} ${kind} ${id} is ${outcome}: an operator closes the position`);
  });
  events.on("drilled", (drill) =>
    log.info(
      drill,
      drill.hindrances.length === 0
        ? `${drill.operator} has drilled an exit: nothing would stop it`
        : `${drill.operator} has drilled an exit; what would stop it: ${drill.hindrances.join("; ")}`,
    ),
  );
}
