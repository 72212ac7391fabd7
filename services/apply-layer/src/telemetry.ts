/**
 * The apply-layer's logs and metrics, from its events. Texts and names are from docs/wire.md, "Log lines" and "Metrics
 * to keep".
 */
import { EventEmitter } from "node:events";
import {
  orderFate,
  orderIds,
  type P33Reason,
  PLAN_REASONS,
  type ResultEntry,
  ttlLabel,
  waitLine,
  waitReasons,
} from "@quantum/contract";
import type { PermitWait, Verdict } from "@quantum/permits";
import type { Logger, Stages } from "@quantum/service-kit";
import { addedAtMs } from "@quantum/streams";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { CLOSES, type Decided } from "./decide.ts";
import type { Opened } from "./open.ts";

export interface ApplyEvents {
  opened: [{ symbol: string; decided: Decided; opened: Opened }];
  badHash: [{ symbol: string; problem: string }];
  result: [ResultEntry];
  failed: [{ doing: string; error: Error }];
}

export class ApplyTelemetry extends EventEmitter<ApplyEvents> {}

const WAIT_BUCKETS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 400, 600, 800, 1000, 1100, 1200, 1250, 1500, 2500];

/** A position that no order can close: every proposal for it ends so, until the position changes. */
const DUST = "dust" satisfies P33Reason;

/** Longer than any error message of an exchange. */
const ERROR_MAX = 200;

interface Options {
  events: ApplyTelemetry;
  waits: readonly PermitWait[];
  stages: Stages;
  registry: Registry;
  log: Logger;
  symbols: ReadonlySet<string>;
  required: readonly string[];
  /** `APPLY_PERMIT_WAIT_MS`. */
  waitBudgetMs: number;
  /** `APPLY_KILL_SWITCH`. */
  halted: boolean;
}

export function observe(options: Options): void {
  const { events, waits, stages, registry, log, symbols, required, waitBudgetMs, halted } = options;
  const registers = [registry];
  const plans = new Counter({
    name: "quantum_apply_plan_total",
    help: "Plans published, by decision",
    labelNames: ["symbol", "decision"],
    registers,
  });
  const refused = new Counter({
    name: "quantum_apply_refused_total",
    help: "Plans that ended at once, without waiting for permits, by reason",
    labelNames: ["decision", "reason"],
    registers,
  });
  // An alert uses the rate, which needs a value before the first event.
  refused.inc({ decision: "BLOCKED", reason: "backlog_full" }, 0);
  const duplicates = new Counter({
    name: "quantum_apply_dedupe_hits_total",
    help: "Proposals whose plan existed already",
    registers,
  });
  const executes = new Counter({
    name: "quantum_apply_execute_total",
    help: "Steps of granted plans, by status: success, error or dry_run",
    labelNames: ["symbol", "step", "status"],
    registers,
  });
  const lastSuccess = new Gauge({
    name: "quantum_apply_last_success_epoch",
    help: "Time of the last executed plan, seconds since the epoch",
    labelNames: ["symbol"],
    registers,
  });
  const waitMs = new Histogram({
    name: "quantum_permit_wait_ms",
    help: "Time from publication to verdict, by Redis's clock",
    labelNames: ["outcome"],
    buckets: WAIT_BUCKETS_MS,
    registers,
  });
  // A ratio of blocked plans needs the series before a plan is blocked.
  for (const outcome of ["ok", "blocked"]) waitMs.zero({ outcome });
  const blocks = new Counter({
    name: "quantum_permit_block_total",
    help: "Waits for permits that ended in BLOCKED; dust: P3.3 denied because the position is too small for any order",
    labelNames: ["reason", "symbol"],
    registers,
  });
  const safeQty = new Gauge({
    name: "quantum_permit_safe_qty",
    help: "Safe quantity of the last granted plan",
    labelNames: ["symbol"],
    registers,
  });
  new Gauge({
    name: "quantum_permit_waiting_plans",
    help: "Plans waiting in this process",
    registers,
    collect() {
      this.set(waits.reduce((plans, { size }) => plans + size, 0));
    },
  });

  const constant = (name: string, help: string, value: number) =>
    new Gauge({ name, help, registers }).set(value);
  constant("quantum_permit_wait_budget_ms", "How long a plan may wait for its permits", waitBudgetMs);
  constant("quantum_apply_kill_switch", "1 if APPLY_KILL_SWITCH blocks every new plan", halted ? 1 : 0);

  const planReasons = new Set<string>(Object.values(PLAN_REASONS).flat());
  const reasons = new Set([...waitReasons(required), DUST]);
  const steps = new Set([...CLOSES.values()].map(({ step }) => step));
  const closed = (set: ReadonlySet<string>, value: string) => (set.has(value) ? value : "other");

  events.on("opened", ({ symbol, decided, opened }) => {
    if (opened.kind === "duplicate") {
      duplicates.inc();
      log.debug(
        { symbol, plan: opened.planId, state: opened.state },
        `${symbol}: Plan ${opened.planId} is a duplicate`,
      );
      return;
    }
    const decision = opened.kind === "ended" ? opened.decision : "EXECUTE";
    const reason = opened.kind === "ended" ? opened.reason : decided.reason;
    plans.inc({ symbol: closed(symbols, symbol), decision });
    if (opened.kind === "ended") {
      // `unknown_action_{action}` contains the publisher's text.
      const kind = reason.startsWith("unknown_action") ? "unknown_action" : reason;
      refused.inc({ decision, reason: closed(planReasons, kind) });
    }
    log.info(
      { symbol, plan: opened.planId, decision, reason },
      `${symbol}: Plan ${opened.planId} published (decision=${decision}, steps=${decided.close === undefined ? 0 : 1})`,
    );
  });
  events.on("badHash", ({ symbol, problem }) =>
    log.warn({ symbol, problem }, `${symbol}: the proposal hash does not hold a valid proposal`),
  );
  events.on("failed", ({ doing, error }) => log.error({ err: error }, `failed to ${doing}, trying again`));
  // The executor logs this too. Operators of the Python apply-layer, which placed the orders itself, count these lines
  // here.
  events.on("result", (result) => {
    const { symbol, plan_id: plan } = result;
    // Anyone may have written the result, so its text must not look like another log line.
    const error = result.error.slice(0, ERROR_MAX).replaceAll(/[^\w .:-]/g, "_") || "None";
    const executed = orderFate(result) === "executed";
    const at = { plan, symbol };
    for (const order of executed ? orderIds(result) : [])
      log.info({ ...at, order }, `${symbol}: Order ${order} executed successfully`);
    log.info(
      { ...at, executed },
      `${symbol}: Result published (executed=${executed ? "True" : "False"}, error=${error})`,
    );
  });
  events.on("result", (result) => {
    // An operator's exit is no plan of this service.
    if (result.decision !== "EXECUTE" || result.class !== "") return;
    const symbol = closed(symbols, result.symbol);
    const step = result.steps_results[0]?.["step"];
    const executed = orderFate(result) === "executed";
    executes.inc({
      symbol,
      step: typeof step === "string" ? closed(steps, step) : "none",
      status: executed ? "success" : result.would_execute ? "dry_run" : "error",
    });
    if (executed) lastSuccess.set({ symbol }, (result.settled_at_ms ?? Date.now()) / 1000);
  });

  events.on("result", (result) => timePlan(stages, result));

  /** Symbols whose last verdict was dust: it is said once, not with every proposal. */
  const dust = new Set<string>();
  const onVerdict = (verdict: Verdict) => {
    const symbol = closed(symbols, verdict.symbol);
    const isDust = verdict.kind === "blocked" && verdict.detail === DUST;
    const isSaid = dust.has(verdict.symbol);
    if (isDust) dust.add(verdict.symbol);
    else dust.delete(verdict.symbol);
    waitMs.observe({ outcome: verdict.kind }, verdict.waitMs);
    if (verdict.kind === "ok") safeQty.set({ symbol }, Number(verdict.safeQty));
    else blocks.inc({ reason: closed(reasons, isDust ? DUST : verdict.reason), symbol });
    const { kind, planId, waitMs: ms, ...rest } = verdict;
    const fields = { plan: planId, outcome: kind, wait_ms: ms, ...snakeCase(rest) };
    if (kind === "ok") log.info(fields, waitLine(verdict));
    else log[isDust && isSaid ? "debug" : "warn"](fields, waitLine(verdict));
  };
  for (const wait of waits) {
    wait.on("verdict", onVerdict);
    wait.on("failed", ({ planId, error }) =>
      log.error({ plan: planId, err: error }, "failed to try a plan's permits, trying again"),
    );
  }
}

/**
 * From its result, because the apply-layers read each result once, whoever wrote it. A plan that ended when it opened took
 * no time, and a Python service's result names no attempt.
 */
function timePlan({ passed, ended }: Stages, result: ResultEntry): void {
  const {
    plan_id: planId,
    symbol,
    attempt,
    outcome = "",
    reason,
    settled_at_ms: endedMs,
    wait_ms: waitMs,
  } = result;
  const hasOpened = result.decision === "EXECUTE" || waitMs !== undefined;
  if (!hasOpened || attempt === "" || endedMs === undefined || result.corrects !== "") return;
  const fromMs = addedAtMs(attempt);
  const attributes = {
    "quantum.symbol": symbol,
    "quantum.outcome": outcome,
    ...(reason !== "" && { "quantum.reason": reason }),
    ...(result.class !== "" && { "quantum.class": result.class }),
  };
  const period = { planId, attempt, fromMs, attributes };
  if (waitMs !== undefined) passed({ ...period, stage: "verdict", toMs: fromMs + waitMs });
  ended({ ...period, toMs: endedMs });
}

function snakeCase(verdict: Omit<Verdict, "kind" | "planId" | "waitMs">): Record<string, unknown> {
  if ("safeQty" in verdict) return { symbol: verdict.symbol, safe_qty: verdict.safeQty };
  const { symbol, reason, detail, permitTtls } = verdict as Extract<Verdict, { kind: "blocked" }>;
  const ttls = Object.fromEntries([...permitTtls].map(([issuer, ttl]) => [ttlLabel(issuer), ttl]));
  return { symbol, reason, ...(detail === "" ? {} : { detail }), ...ttls };
}
