/**
 * An issuer's two handlers. A plan is answered once, by the script that also acknowledges it; a result settles the plan's
 * reservation, by a script that acknowledges the result.
 *
 * Entries run at the same time: what must not be torn apart is decided in the issuing script. It refuses a quantity that
 * others have reserved since the decision, and one decided before a reservation ended; then the policy decides again.
 */
import { EventEmitter } from "node:events";
import {
  describeIssues,
  orderFate,
  type PlanEntry,
  planEntry,
  type ResultEntry,
  resultEntry,
  WAIT_BUDGET_MAX_MS,
} from "@quantum/contract";
import type { Issued, Issuer } from "@quantum/permits";
import { ACK, addedAtMs, type Disposition, DONE, type Entry } from "@quantum/streams";
import { type Decision, deny, type Policy, type ReadResult } from "./policy.ts";

/** How long a plan waits for permits if it does not say so: `APPLY_PERMIT_WAIT_MS`'s default. */
const WAIT_BUDGET_MS = 1_200;
/** An answer is on its way this long before the plan's deadline. */
const ANSWER_MARGIN_MS = 150;
const SIMULATED_DENIAL = deny("simulated_denial");
/** Other plans' reservations covered the quantity until no time was left. */
const PROMISED_TO_OTHERS = deny("quantity_promised");

export interface IssuerEvents {
  answered: [{ plan: PlanEntry; decision: Decision; issued: Issued; tookMs: number }];
  /** By the simulation: no answer. */
  dropped: [{ plan: PlanEntry }];
  /** The reservation has ended; `before`: this result had been settled before. */
  settled: [{ result: ResultEntry; before: boolean; tookMs: number }];
}

export interface HandlersOptions {
  issuer: Issuer;
  policy: Policy;
  /** What becomes of an answer; waits as long as simulated: `createSimulation` of the service kit. */
  simulate: () => Promise<"answer" | "deny" | "drop">;
  /** Redis's clock. */
  now: () => number;
}

export class IssuerHandlers extends EventEmitter<IssuerEvents> {
  readonly #options: HandlersOptions;

  constructor(options: HandlersOptions) {
    super();
    this.#options = options;
  }

  /** Handles an `apply.plan` entry. */
  async answerPlan(entry: Entry): Promise<Disposition> {
    const startedAt = performance.now();
    const parsed = planEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const plan = parsed.data;
    if (plan.decision !== "EXECUTE") return ACK;
    const { issuer, policy, simulate } = this.#options;
    const fate = await simulate();
    if (fate === "drop") {
      this.emit("dropped", { plan });
      return ACK;
    }

    /** @returns false if the permit would reserve what others have reserved */
    const answer = async (decision: Decision): Promise<boolean> => {
      const { plan_id: planId, symbol } = plan;
      const issued = await issuer.issue({ planId, symbol, attempt: entry.id }, decision);
      if (issued.kind === "conflict") return false;
      this.emit("answered", { plan, decision, issued, tookMs: performance.now() - startedAt });
      await policy.answered?.(plan, issued);
      return true;
    };
    if (fate === "deny") {
      await answer(SIMULATED_DENIAL);
      return DONE;
    }
    const answerBy = performance.now() + this.#leftMs(plan, addedAtMs(entry.id)) - ANSWER_MARGIN_MS;
    for (let isFirst = true; ; isFirst = false) {
      const decision = await policy.decide(plan, { answerBy, isFirst });
      const hasTime = performance.now() < answerBy;
      if (await answer(decision)) return DONE;
      if (!hasTime && (await answer(PROMISED_TO_OTHERS))) return DONE;
    }
  }

  /** Handles an `apply.result` entry. */
  async settleResult(entry: Entry): Promise<Disposition> {
    const startedAt = performance.now();
    const parsed = resultEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const result = parsed.data;
    const fate = orderFate(result);
    if (fate === "untold") return ACK;
    const placed = fate !== "none";
    const handled = Promise.withResolvers<void>();
    const read: ReadResult = { result, addedAtMs: addedAtMs(entry.id), placed, handled: handled.promise };
    try {
      const { issuer, policy } = this.#options;
      const settlement = (await policy.settling?.(read)) ?? { kind: "settle" };
      if (settlement.kind === "retry") return settlement;
      const { plan_id: planId, symbol, attempt } = result;
      const isNew = await issuer.settle(
        { planId, symbol, attempt, entryId: entry.id, placed },
        settlement.executed,
      );
      this.emit("settled", { result, before: !isNew, tookMs: performance.now() - startedAt });
      await policy.settled?.(read, !isNew);
      return DONE;
    } finally {
      handled.resolve();
    }
  }

  /** How long the plan still waits. Whatever its deadline and Redis's clock say, no longer than anybody may wait. */
  #leftMs({ deadline_ms: deadlineMs }: PlanEntry, addedMs: number): number {
    const budgetMs = deadlineMs === undefined ? WAIT_BUDGET_MS : WAIT_BUDGET_MAX_MS;
    const latestMs = addedMs + budgetMs;
    return Math.min(Math.min(deadlineMs ?? latestMs, latestMs) - this.#options.now(), budgetMs);
  }
}
