/**
 * P3.3's two consumers. Plans are answered from what is stored, without a request to the exchange; results move their
 * fills from the promises to the pair.
 *
 * Entries run at the same time: what must not be torn apart is decided in the issuing script. It refuses a quantity that
 * others have promised since the decision, and one decided before a promise ended; then we decide again.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  describeIssues,
  type OrderReason,
  isClosing,
  orderFate,
  type PlanEntry,
  planEntry,
  type ResultEntry,
  resultEntry,
  WAIT_BUDGET_MAX_MS,
} from "@quantum/contract";
import type { SymbolRules } from "@quantum/exchange";
import type { Answer, Issued, Issuer } from "@quantum/permits";
import { withDeadline } from "@quantum/redis";
import { ACK, type Disposition, DONE, type Entry } from "@quantum/streams";
import { type Allowed, decide, type Denied, deny, type Limits, permitOf } from "./decide.ts";
import { executionOf } from "./execution.ts";
import { type PairStore, PROMISED } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";

/** How long a plan waits for permits if it does not say so: `APPLY_PERMIT_WAIT_MS`'s default. */
const WAIT_BUDGET_MS = 1_200;
/** An answer is on its way this long before the plan's deadline. */
const ANSWER_MARGIN_MS = 150;
/** Promised quantity can come free at any moment; a plan that has time looks again after this. */
const LOOK_AGAIN_MS = 50;
const REFUSED_BY_RULES = "rejected_by_rules" satisfies OrderReason;
/** A result whose fills do not show is tried in place after these pauses, then left pending: requests are limited. */
const RESULT_PAUSES_MS = [100, 250, 500, 1_000, 2_000];

export interface BrainEvents {
  answered: [{ plan: PlanEntry; decision: Allowed | Denied; issued: Issued; tookMs: number }];
  /** By the simulation: no answer. */
  dropped: [{ plan: PlanEntry }];
  /** The result's fills are in the pair and its promise has ended. */
  settled: [{ result: ResultEntry; tookMs: number }];
}

export interface BrainOptions {
  pairs: PairStore;
  refresh: PairRefresh;
  issuer: Issuer;
  rules: (symbol: string) => SymbolRules | undefined;
  /** The venue refuses what the rules allow, or they forbid what it may allow by now. */
  readRulesAgain: () => void;
  limits: Limits;
  /** What becomes of an answer; waits as long as simulated. */
  simulate: () => Promise<"answer" | "deny" | "drop">;
}

export class PositionBrain extends EventEmitter<BrainEvents> {
  readonly #options: BrainOptions;
  /** The executed results that have arrived here and are not settled, with their symbols. */
  readonly #settling = new Map<Promise<Disposition>, string>();

  constructor(options: BrainOptions) {
    super();
    this.#options = options;
  }

  readonly handlePlan = async (entry: Entry): Promise<Disposition> => {
    const startedAt = performance.now();
    const parsed = planEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const plan = parsed.data;
    if (plan.decision !== "EXECUTE") return ACK;
    const fate = await this.#options.simulate();
    if (fate === "drop") {
      this.emit("dropped", { plan });
      return ACK;
    }

    const answer = async (decision: Allowed | Denied, releases: string): Promise<boolean> => {
      const attempt = { planId: plan.plan_id, symbol: plan.symbol, attempt: entry.id };
      const issued = await this.#options.issuer.issue(attempt, answerOf(decision, releases, plan));
      if (issued.kind === "conflict") return false;
      this.emit("answered", { plan, decision, issued, tookMs: performance.now() - startedAt });
      return true;
    };
    if (fate === "deny") {
      await answer(deny("simulated_denial", {}), "");
      return DONE;
    }
    const answerBy = performance.now() + this.#leftMs(plan, entryTimeMs(entry)) - ANSWER_MARGIN_MS;
    await this.#settled(plan.symbol, answerBy);
    for (;;) {
      const { decision, releases } = await this.#decide(plan);
      const hasTime = performance.now() < answerBy;
      if (isPromised(decision) && hasTime) await delay(LOOK_AGAIN_MS);
      else if (await answer(decision, releases)) return DONE;
      else if (!hasTime && (await answer(deny("quantity_promised", {}), releases))) return DONE;
    }
  };

  /**
   * First the fills into the pair, then the promise away: the other way round, a plan in between would find a position
   * that an order has already reduced and nothing that says so. A repetition of either step changes nothing.
   */
  readonly handleResult = async (entry: Entry): Promise<Disposition> => {
    const startedAt = performance.now();
    const parsed = resultEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const result = parsed.data;
    const { symbol } = result;
    const fate = orderFate(result);
    if (fate === "untold") return ACK;
    const placed = fate !== "none";
    const settle = async () => {
      const { plan_id: planId, attempt } = result;
      await this.#options.issuer.settle({ planId, symbol, attempt, entryId: entry.id, placed });
      this.emit("settled", { result, tookMs: performance.now() - startedAt });
      return DONE;
    };
    if (result.reason === REFUSED_BY_RULES) this.#options.readRulesAgain();
    // Nothing was promised for a symbol that is not ours, and nothing is known of its position.
    if (!placed || !this.#options.limits.allowlist.has(symbol)) return settle();
    const showAndSettle = async (): Promise<Disposition> => {
      const trouble = await this.#showFills(result, entryTimeMs(entry));
      return trouble === undefined ? settle() : { kind: "retry", reason: trouble };
    };
    const settling = showAndSettle();
    this.#settling.set(settling, symbol);
    return settling.finally(() => this.#settling.delete(settling));
  };

  async #decide(plan: PlanEntry): Promise<{ decision: Allowed | Denied; releases: string }> {
    const { pairs, rules, limits, readRulesAgain } = this.#options;
    const { symbol, steps } = plan;
    const state = await pairs.state(symbol);
    const facts = { ...state, symbol, pct: steps.find(isClosing)?.pct ?? 100, rules: rules(symbol) };
    const decision = decide(facts, limits);
    // It may trade again long before the rules are read again by themselves.
    if (decision.verdict === "deny" && decision.reason === "symbol_not_trading") readRulesAgain();
    return { decision, releases: state.releases };
  }

  /** Refreshes until the result's fills are in the pair. @returns why they are not, once patience has run out */
  async #showFills(result: ResultEntry, arrivedMs: number): Promise<string | undefined> {
    const execution = executionOf(result, arrivedMs);
    const look = () =>
      this.#options.refresh.symbol(result.symbol, execution).then(
        (outcome) => (outcome === "stored" ? undefined : "its fills do not show at the exchange yet"),
        (error: unknown) => (error as Error).message,
      );
    let trouble = await look();
    for (const pauseMs of RESULT_PAUSES_MS) {
      if (trouble === undefined) break;
      await delay(pauseMs);
      trouble = await look();
    }
    return trouble;
  }

  /** How long the plan still waits. Whatever its deadline and Redis's clock say, no longer than anybody may wait. */
  #leftMs({ deadline_ms: deadlineMs }: PlanEntry, addedMs: number): number {
    const budgetMs = deadlineMs === undefined ? WAIT_BUDGET_MS : WAIT_BUDGET_MAX_MS;
    const latestMs = addedMs + budgetMs;
    return Math.min(Math.min(deadlineMs ?? latestMs, latestMs) - this.#options.pairs.now(), budgetMs);
  }

  /** Waits for the results of the symbol that have arrived, no longer than until `until`, by performance.now(). */
  async #settled(symbol: string, until: number): Promise<void> {
    const settling = [...this.#settling].filter(([, of]) => of === symbol).map(([result]) => result);
    const leftMs = until - performance.now();
    if (settling.length === 0 || leftMs <= 0) return;
    // Late is no trouble: the old pair and its promises are still right together.
    await withDeadline(Promise.allSettled(settling), leftMs, `results of ${symbol}`).catch(() => undefined);
  }
}

function isPromised(decision: Allowed | Denied): boolean {
  return decision.verdict === "deny" && decision.reason === "quantity_promised";
}

function answerOf(decision: Allowed | Denied, releases: string, { steps }: PlanEntry): Answer {
  if (decision.verdict === "deny") return { ...decision, verdict: "denied" };
  const granted = {
    verdict: "granted",
    reason: "sanity_checks_passed",
    permit: permitOf(decision),
  } as const;
  // No order comes of it, so nothing is promised.
  if (!steps.some(isClosing)) return granted;
  const { units, maxUnits } = decision.promise;
  return {
    ...granted,
    reservation: {
      amounts: { [PROMISED]: units },
      limits: [{ kind: "open", amount: PROMISED, max: maxUnits, as_of: releases }],
    },
  };
}

function entryTimeMs(entry: Entry): number {
  return Number(entry.id.split("-")[0]);
}
