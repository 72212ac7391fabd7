/** Logs and metrics, from the lifecycle events alone. Names are from docs/wire.md, "Metrics to keep". */
import type { EventEmitter } from "node:events";
import { orderFate, P33_REASONS, type P33Reason } from "@quantum/contract";
import { isDust, type SymbolRules } from "@quantum/exchange";
import { type IssuerEvents, observeAnswers } from "@quantum/issuer";
import { sharedReading, type Stages } from "@quantum/service-kit";
import { Counter, Gauge, Histogram } from "prom-client";
import { type ObservedBooking, observeBooking } from "./booker-telemetry.ts";
import { type CloseWatch, unfulfilledMs } from "./close-watch.ts";
import type { OperatorCommands } from "./operator.ts";
import { agrees } from "./pair.ts";
import type { PairStore, StoredPair } from "./pair-store.ts";

export interface Observed extends ObservedBooking {
  handlers: EventEmitter<IssuerEvents>;
  operator: OperatorCommands;
  stages: Stages;
  pairs: PairStore;
  closes: Pick<CloseWatch, "wantedSinceMs">;
  /** Undefined if the exchange does not list the symbol. */
  rulesOf: (symbol: string) => SymbolRules | undefined;
}

const DUST = "dust" satisfies P33Reason;
const MS_PER_SEC = 1000;
const REFRESH_BUCKETS_SEC = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export function observe(observed: Observed): void {
  const { allowlist, registry, log } = observed;
  const registers = [registry];
  const labelOf = (symbol: string) => (allowlist.has(symbol) ? symbol : "other");
  observeDecisions(observed, labelOf);
  observeRefresh(observed, labelOf);
  observeBooking(observed, labelOf);
  observeOperator(observed);
  observePairs(observed);

  const settled = new Counter({
    name: "p33_results_settled_total",
    help: "Results whose reservation has ended and whose fills are in the pair",
    labelNames: ["symbol"],
    registers,
  });
  observed.handlers.on("settled", ({ result, before, tookMs }) => {
    const { plan_id: planId, symbol, attempt, settled_at_ms: fromMs } = result;
    if (!before && orderFate(result) === "executed" && attempt !== "" && fromMs !== undefined)
      observed.stages.passed({
        planId,
        attempt,
        stage: "ledger",
        fromMs,
        toMs: observed.pairs.now(symbol),
        attributes: { "quantum.symbol": symbol },
      });
    settled.inc({ symbol: labelOf(result.symbol) });
    log.debug(
      { plan: result.plan_id, symbol: result.symbol, executed: result.executed, tookMs },
      "result settled",
    );
  });
}

function observeDecisions({ handlers, registry, log }: Observed, labelOf: (symbol: string) => string): void {
  /** Symbols whose last answer was that they are dust: it is said once, not with every proposal. */
  const dust = new Set<string>();
  observeAnswers({
    handlers,
    registry,
    labelOf,
    names: { granted: "p33_permit_allow_total", denied: "p33_permit_deny_total" },
    reasons: P33_REASONS,
    lines: {
      granted: ({ plan: { plan_id: plan, symbol }, decision: { told }, tookMs }) => {
        dust.delete(symbol);
        log.info(
          { plan, symbol, ...told, tookMs },
          `${symbol}: P3.3 ALLOW plan ${plan} (safe_qty=${told?.["safeQty"]}, exchange_amt=${told?.["exchangeAmt"]})`,
        );
      },
      denied: ({ plan: { plan_id: plan, symbol }, tookMs }, { reason, context }) => {
        const isSaid = dust.has(symbol);
        if (reason === DUST) dust.add(symbol);
        else dust.delete(symbol);
        if (reason === DUST && !isSaid)
          log.warn(
            { symbol, context },
            `${symbol}: its position is smaller than the exchange's smallest order: no order can close it`,
          );
        log[reason === DUST && isSaid ? "debug" : "info"](
          { plan, symbol, reason, context, tookMs },
          `${symbol}: P3.3 DENY plan ${plan} reason=${reason} (no permit)`,
        );
      },
      unneeded: ({ plan: { plan_id: plan, symbol }, issued: { kind } }) =>
        log.debug({ plan, symbol, issued: kind }, "plan was answered before, or has ended"),
    },
  });
  handlers.on("dropped", ({ plan }) => {
    log.warn({ plan: plan.plan_id, symbol: plan.symbol }, "simulation: the plan gets no answer");
  });
}

function observeRefresh(
  { refresh, allowlist, registry, log }: Observed,
  labelOf: (symbol: string) => string,
): void {
  const registers = [registry];
  const duration = new Histogram({
    name: "p33_refresh_duration_seconds",
    help: "Duration of a refresh of all symbols",
    buckets: REFRESH_BUCKETS_SEC,
    registers,
  });
  const failures = new Counter({
    name: "p33_refresh_failures_total",
    help: "Refreshes that got no usable answer from exchange or Redis; symbol all: the refresh of all symbols failed",
    labelNames: ["symbol"],
    registers,
  });
  const inconclusive = new Counter({
    name: "p33_refresh_inconclusive_total",
    help: "Refreshes in which position and trades were not consistent yet, so the old pair was kept",
    labelNames: ["symbol"],
    registers,
  });
  refresh.on("refreshed", ({ symbols, tookMs }) => {
    duration.observe(tookMs / MS_PER_SEC);
    log.debug({ symbols, tookMs }, "positions refreshed");
  });
  refresh.on("failed", ({ symbol, error }) => {
    failures.inc({ symbol: symbol === undefined ? "all" : labelOf(symbol) });
    log.error({ symbol, err: error }, "refresh failed, the old pair is used until it is stale");
  });
  refresh.on("inconclusive", ({ symbol }) => {
    inconclusive.inc({ symbol: labelOf(symbol) });
    log.info({ symbol }, "position and trades are not consistent yet, reading again");
  });
  const overwritten = new Counter({
    name: "p33_overwritten_total",
    help: "Pairs that another program has written to: a second P3.3 is running",
    labelNames: ["symbol"],
    registers,
  });
  // Starts counters at 0. A counter that first appears with its first event shows no increase to a rate.
  for (const symbol of allowlist) overwritten.inc({ symbol }, 0);
  refresh.on("overwritten", ({ symbol }) => {
    overwritten.inc({ symbol: labelOf(symbol) });
    log.error(
      { symbol },
      `${symbol}: another program writes its snapshot or ledger; the ledger is reset to the exchange's position: are two P3.3s running?`,
    );
  });
  const begun = new Map<string, string>();
  const mismatched = new Set<string>();
  refresh.on("stored", ({ symbol, pair }) => {
    const amounts = { symbol, exchangeAmt: pair.snapshot.positionAmt, ledgerAmt: pair.ledger.amt };
    const { origin } = pair.ledger;
    // Until its first trade a ledger is the exchange's position, so this is logged once per reset.
    if (origin === "trades") begun.delete(symbol);
    else if (begun.get(symbol) !== origin) {
      begun.set(symbol, origin);
      log.warn({ ...amounts, origin }, `${symbol}: ledger begun from the exchange's position`);
    }
    if (agrees(pair)) {
      if (mismatched.delete(symbol)) log.info(amounts, `${symbol}: snapshot and ledger match again`);
    } else if (!mismatched.has(symbol)) {
      mismatched.add(symbol);
      log.error(amounts, `${symbol}: the account's trades do not explain its position, reconcile`);
    }
  });
}

function observeOperator({ operator, log }: Observed): void {
  operator.on("seen", (change) =>
    log.info({ audit: change }, `an operator's change: ${change.action} ${change.target}, by ${change.who}`),
  );
  operator.on("accepted", ({ target: symbol, who, reason }) =>
    log.warn({ symbol, who, reason }, `${symbol}: an operator accepted the exchange's position`),
  );
  operator.on("ignored", ({ command: { target: symbol, who, reason }, why }) =>
    log.warn({ symbol, who, reason, why }, `${symbol}: an operator's acceptance is ignored: it is ${why}`),
  );
}

/**
 * Read from Redis when scraped, so that all replicas show the same. An age updated by refreshes alone would hide that
 * they stopped.
 */
function observePairs({ pairs, closes, rulesOf, allowlist, registry }: Observed): void {
  const readings = [...allowlist].map((symbol) => ({
    symbol,
    read: sharedReading(async () => {
      const [stored, wantedSinceMs] = await Promise.all([pairs.read(symbol), closes.wantedSinceMs(symbol)]);
      return { ...stored, symbol, wantedSinceMs };
    }),
  }));
  type Reading = StoredPair & { symbol: string; wantedSinceMs: number | undefined };
  const gauge = (name: string, help: string, valueOf: (reading: Reading) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ["symbol"],
      registers: [registry],
      async collect() {
        const found = await Promise.all(readings.map(({ read }) => read()));
        for (const [index, { symbol }] of readings.entries()) {
          const reading = found[index];
          if (reading === undefined) continue;
          const value = valueOf(reading);
          if (value === undefined) this.remove({ symbol });
          else this.set({ symbol }, value);
        }
      },
    });
  gauge(
    "p33_snapshot_age_seconds",
    "Age of the stored snapshot by Redis's clock, +Inf without one; below 0 if a clock is wrong and the age is unknown",
    ({ symbol, snapshot }) => (snapshot ? pairs.now(symbol) / MS_PER_SEC - snapshot.tsEpochSec : Infinity),
  );
  gauge(
    "p33_exchange_position_amt",
    "Signed position according to the exchange",
    ({ snapshot }) => snapshot && Number(snapshot.positionAmt),
  );
  gauge(
    "p33_ledger_position_amt",
    "Signed position according to the ledger",
    ({ ledger }) => ledger && Number(ledger.amt),
  );
  gauge(
    "p33_disagreement_seconds",
    "How long snapshot and ledger have not matched, 0 if they match; beyond the tolerance the symbol is held",
    ({ symbol, ledger }) =>
      ledger &&
      (ledger.disagreesSinceMs === undefined
        ? 0
        : (pairs.now(symbol) - ledger.disagreesSinceMs) / MS_PER_SEC),
  );
  gauge(
    "quantum_close_unfulfilled_seconds",
    "How long a close of the open position has been proposed without any execution, 0 if none is",
    ({ symbol, wantedSinceMs, ...stored }) =>
      unfulfilledMs(wantedSinceMs, stored, pairs.now(symbol)) / MS_PER_SEC,
  );
  gauge(
    "p33_position_dust",
    "1 if the whole position is smaller than the exchange's smallest order, so that no order can close it",
    ({ symbol, snapshot }) => {
      const rules = rulesOf(symbol);
      return snapshot && rules && (isDust(snapshot.positionAmt, rules) ? 1 : 0);
    },
  );
}
