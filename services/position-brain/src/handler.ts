/**
 * P3.3's policy. It answers plans from the stored pair, without a request to the exchange. For results, it moves their
 * fills from the reservations to the pair.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type OrderReason,
  isClosing,
  type P33Reason,
  type PlanEntry,
  type ResultEntry,
} from "@quantum/contract";
import { type Exchange, NotAskedError, type SymbolRules } from "@quantum/exchange";
import type { Decision, Policy, ReadResult, Settlement, Turn } from "@quantum/issuer";
import { withDeadline } from "@quantum/redis";
import { type Allowed, decide, type Denied, type Limits, permitOf } from "./decide.ts";
import type { BookedFills } from "./booked-fills.ts";
import { executionOf } from "./execution.ts";
import type { Pair } from "./pair.ts";
import { type PairStore, RESERVED_AMOUNT } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";

/** Reserved quantity may be released at any time, so a plan that has time left tries again after this. */
const LOOK_AGAIN_MS = 50;
const COOLING = "cooldown_in_flight" satisfies P33Reason;
const REFUSED_BY_RULES = "rejected_by_rules" satisfies OrderReason;
/**
 * If a result's fills are not visible yet, retry after these pauses, then leave it pending, because requests are
 * limited.
 */
const RESULT_PAUSES_MS = [0, 100, 250, 500, 1_000, 2_000];
const SETTLE: Settlement = { kind: "settle" };

export interface BrainOptions {
  pairs: PairStore;
  refresh: PairRefresh;
  /** Whether it accepts orders now, without a request. */
  exchange: Pick<Exchange, "pause" | "hasRoomForOrder">;
  booked: Pick<BookedFills, "include" | "changed">;
  rules: (symbol: string) => SymbolRules | undefined;
  /** Call when the venue refuses what the rules allow, or when they forbid what it may now allow. */
  readRulesAgain: () => void;
  limits: Limits;
}

export class PositionBrain implements Policy {
  readonly #options: BrainOptions;
  /** Executed results that have arrived here and are not settled, with their symbols. */
  readonly #settling = new Map<Promise<void>, string>();

  constructor(options: BrainOptions) {
    this.#options = options;
  }

  async decide(plan: PlanEntry, { answerBy, isFirst }: Turn): Promise<Decision> {
    if (isFirst) await this.#settled(plan.symbol, answerBy);
    for (;;) {
      const { decision, releases } = await this.#judge(plan);
      const waits = isPromised(decision) && performance.now() < answerBy;
      if (!waits) return answerOf(decision, releases, plan);
      await delay(LOOK_AGAIN_MS);
    }
  }

  /**
   * The pair must include the fills before the reservation ends. Otherwise a plan in between would see the old position
   * without a reservation. Both steps are safe to repeat.
   */
  async settling({ result, addedAtMs, placed, handled }: ReadResult): Promise<Settlement> {
    const { symbol } = result;
    if (result.reason === REFUSED_BY_RULES) this.#options.readRulesAgain();
    // A symbol that is not allowed has no reservations, and its position is unknown.
    if (!placed || !this.#options.limits.allowlist.has(symbol)) return SETTLE;
    this.#settling.set(handled, symbol);
    void handled.then(() => this.#settling.delete(handled));
    return this.#showFills(result, addedAtMs);
  }

  /** Its fills are booked like those of any order of ours. */
  exited(read: ReadResult): Promise<Settlement> {
    return this.settling(read);
  }

  async #judge(plan: PlanEntry): Promise<{ decision: Allowed | Denied; releases: string }> {
    const { pairs, exchange, rules, limits, readRulesAgain } = this.#options;
    const { symbol, steps } = plan;
    const state = await pairs.state(symbol);
    const facts = {
      ...state,
      symbol,
      pct: steps.find(isClosing)?.pct ?? 100,
      rules: rules(symbol),
      pause: exchange.pause("orders"),
      hasRoomForOrder: exchange.hasRoomForOrder(),
    };
    let decision = decide(facts, limits);
    if (
      decision.verdict === "deny" &&
      decision.reason === COOLING &&
      (await this.#wasExit(symbol, state.pair))
    )
      decision = decide(facts, { ...limits, cooldownSec: 0 });
    // The symbol may be tradable again long before the next regular read of the rules.
    if (decision.verdict === "deny" && decision.reason === "symbol_not_trading") readRulesAgain();
    return { decision, releases: state.releases };
  }

  /** Whether an operator's exit was the last execution. Only asked where it would deny, so other plans do not wait for it. */
  async #wasExit(symbol: string, pair: Pair | undefined): Promise<boolean> {
    const planId = pair?.ledger.lastExecution?.planId;
    return planId !== undefined && (await this.#options.pairs.isExit(symbol, planId));
  }

  /**
   * Waits until events have brought the result's fills into the pair. If they do not, refreshes until it includes them.
   */
  async #showFills(result: ResultEntry, arrivedMs: number): Promise<Settlement> {
    const { booked, refresh } = this.#options;
    const { symbol } = result;
    const execution = executionOf(result, arrivedMs);
    if (await booked.include(symbol, execution)) return SETTLE;
    const again = booked.changed(symbol);
    let reason = "";
    for (const pauseMs of RESULT_PAUSES_MS) {
      if (pauseMs > 0) await delay(pauseMs);
      try {
        if ((await refresh.symbol(symbol, execution)) === "stored") return SETTLE;
        reason = "its fills do not show at the exchange yet";
      } catch (error) {
        reason = (error as Error).message;
        // Whoever reads the symbol next, reads these fills.
        if (error instanceof NotAskedError) return { kind: "retry", reason, again };
      }
    }
    return { kind: "retry", reason };
  }

  /** Waits for the symbol's results that have arrived, at most until `until`, by performance.now(). */
  async #settled(symbol: string, until: number): Promise<void> {
    const settling = [...this.#settling].filter(([, of]) => of === symbol).map(([result]) => result);
    const leftMs = until - performance.now();
    if (settling.length === 0 || leftMs <= 0) return;
    // Giving up is fine: the old pair and its reservations still match.
    await withDeadline(Promise.allSettled(settling), leftMs, `results of ${symbol}`).catch(() => undefined);
  }
}

function isPromised(decision: Allowed | Denied): boolean {
  return decision.verdict === "deny" && decision.reason === "quantity_promised";
}

function answerOf(decision: Allowed | Denied, releases: string, { steps }: PlanEntry): Decision {
  if (decision.verdict === "deny") return { ...decision, verdict: "denied" };
  const { safeQty, exchangeAmt, ledgerAmt } = decision;
  const granted = {
    verdict: "granted",
    reason: "sanity_checks_passed",
    permit: permitOf(decision),
    told: { safeQty, exchangeAmt, ledgerAmt },
  } as const;
  // It leads to no order, so nothing is reserved.
  if (!steps.some(isClosing)) return granted;
  const { units, maxUnits } = decision.reservation;
  return {
    ...granted,
    reservation: {
      amounts: { [RESERVED_AMOUNT]: units },
      limits: [{ kind: "open", amount: RESERVED_AMOUNT, max: maxUnits, as_of: releases }],
    },
  };
}
