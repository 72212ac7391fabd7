/**
 * Where a plan's time goes: each stage that it passes is measured once, by the service that sees its end, and becomes a
 * value of one histogram and, with tracing, a span.
 */
import { Histogram, type Registry } from "prom-client";

/** In the order in which an executed plan passes them. Each begins where the one before ends, but for `permit`. */
export const STAGES = [
  /** Of each issuer: from the opening to its answer. */
  "permit",
  /** From the opening to the verdict: the wait for permits. */
  "verdict",
  /** To the executor's claim. */
  "claimed",
  /** To the send: the journal is written. */
  "sent",
  /** To the exchange's answer, or the order's event, whichever is first. */
  "answered",
  /** To the result. */
  "settled",
  /** To the books that show the fills. */
  "ledger",
] as const;
export type Stage = (typeof STAGES)[number];

/** From a script's run to an order in doubt, in seconds. Redis's times have no more than milliseconds. */
const BUCKETS_SEC = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.2, 2, 5, 10, 30, 60];
const MS_PER_SEC = 1000;

/** What happened to an attempt between two moments, in ms by Redis's clock. */
export interface Period {
  planId: string;
  /** Id of the plan's entry in `apply.plan`. */
  attempt: string;
  fromMs: number;
  toMs: number;
  /** What its span says besides. */
  attributes?: Readonly<Record<string, string>>;
}

export interface PassedStage extends Period {
  stage: Stage;
  /** Of `permit`: whose. */
  issuer?: string;
}

/** Records what has happened. The ids follow from plan, attempt and name, so a repetition is the same span. */
export interface Traces {
  /** @param name of the span; empty: the root of the attempt */
  span: (name: readonly string[], period: Period) => void;
  /** Exports what is left, for a limited time. */
  stop: () => Promise<void>;
}

export interface Stages {
  passed: (passed: PassedStage) => void;
  /** From the opening to the result. It is the root of the attempt's spans; without tracing it does nothing. */
  ended: (period: Period) => void;
}

/** @param traces undefined: no tracing */
export function observeStages(registry: Registry, traces: Traces | undefined): Stages {
  const seconds = new Histogram({
    name: "quantum_plan_stage_seconds",
    help: `Time that plans took for a stage, by Redis's clock; stages: ${STAGES.join(", ")}`,
    labelNames: ["stage", "issuer"],
    buckets: BUCKETS_SEC,
    registers: [registry],
  });
  return {
    passed: (passed) => {
      const { stage, issuer } = passed;
      // Redis's clock may have stepped back in between.
      const tookMs = Math.max(0, passed.toMs - passed.fromMs);
      seconds.observe(issuer === undefined ? { stage } : { stage, issuer }, tookMs / MS_PER_SEC);
      traces?.span(issuer === undefined ? [stage] : [stage, issuer], passed);
    },
    ended: (period) => traces?.span([], period),
  };
}
