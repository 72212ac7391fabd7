/**
 * An issuer's two handlers in a partition. One answers each plan once, in a script that also acknowledges the entry. The
 * other settles the plan's reservation with its result, in a script that acknowledges the result.
 *
 * Entries are handled concurrently, so the issuing script makes the final decision. It refuses a quantity that others
 * have reserved since the policy decided, and a decision made before a reservation ended. Then the policy decides
 * again.
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
import type { SignPermit } from "./sign.ts";

/** How long a plan waits for permits if its entry does not say: the default of `APPLY_PERMIT_WAIT_MS`. */
const WAIT_BUDGET_MS = 1_200;
/** An answer is sent at least this long before the plan's deadline. */
const ANSWER_MARGIN_MS = 150;
const SIMULATED_DENIAL = deny("simulated_denial");
/** Other plans' reservations covered the quantity until time ran out. */
const RESERVED_BY_OTHERS = deny("quantity_promised");

export interface IssuerEvents {
  answered: [{ plan: PlanEntry; attempt: string; decision: Decision; issued: Issued; tookMs: number }];
  /** It asks for no permit: the plan ended when it opened, or an operator has signed it. */
  unasked: [{ plan: PlanEntry }];
  /** The simulation dropped the answer. */
  dropped: [{ plan: PlanEntry }];
  /** The reservation has ended; `before`: an earlier delivery of this result ended it. */
  settled: [{ result: ResultEntry; before: boolean; tookMs: number }];
}

export interface HandlersOptions {
  issuer: Issuer;
  policy: Policy;
  /** The simulated fate of an answer, after its delay: `createSimulation` of packages/service-kit. */
  simulate: () => Promise<"answer" | "deny" | "drop">;
  /**
   * Whether this partition is the symbol's. In another one, nothing is known of what its limits have used up. An operator's exits are
   * not asked for: they have no permit, and a drill has no symbol.
   */
  owns: (symbol: string) => boolean;
  /** The partition's clock. */
  now: () => number;
  /** Without it, permits are not signed. */
  sign?: SignPermit;
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
    if (plan.decision !== "EXECUTE" || plan.class !== "") {
      this.emit("unasked", { plan });
      return ACK;
    }
    if (!this.#options.owns(plan.symbol)) return misplaced(plan);
    const { issuer, policy, simulate, sign } = this.#options;
    const fate = await simulate();
    if (fate === "drop") {
      this.emit("dropped", { plan });
      return ACK;
    }

    /** @returns false if others have reserved what the permit would reserve */
    const answer = async (decision: Decision): Promise<boolean> => {
      const { plan_id: planId, symbol } = plan;
      const signed = sign?.(decision, plan, entry.id) ?? decision;
      const issued = await issuer.issue({ planId, symbol, attempt: entry.id }, signed);
      if (issued.kind === "conflict") return false;
      this.emit("answered", {
        plan,
        attempt: entry.id,
        decision,
        issued,
        tookMs: performance.now() - startedAt,
      });
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
      if (!hasTime && (await answer(RESERVED_BY_OTHERS))) return DONE;
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
      if (result.class !== "") {
        const exit = (await policy.exited?.(read)) ?? { kind: "settle" };
        return exit.kind === "retry" ? exit : ACK;
      }
      if (!this.#options.owns(result.symbol)) return misplaced(result);
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

  /**
   * How long the plan still waits. Never longer than the longest possible wait, whatever its deadline and Redis's clock
   * say.
   */
  #leftMs({ deadline_ms: deadlineMs }: PlanEntry, addedMs: number): number {
    const budgetMs = deadlineMs === undefined ? WAIT_BUDGET_MS : WAIT_BUDGET_MAX_MS;
    const latestMs = addedMs + budgetMs;
    return Math.min(Math.min(deadlineMs ?? latestMs, latestMs) - this.#options.now(), budgetMs);
  }
}

function misplaced({ symbol }: { symbol: string }): Disposition {
  return { kind: "dead", reason: `${symbol} belongs to another partition` };
}

/** What the handlers of all partitions tell, as if one had. */
export function eventsOf(handlers: readonly IssuerHandlers[]): EventEmitter<IssuerEvents> {
  const all = new EventEmitter<IssuerEvents>();
  for (const each of handlers) {
    each.on("answered", (answered) => all.emit("answered", answered));
    each.on("unasked", (unasked) => all.emit("unasked", unasked));
    each.on("dropped", (dropped) => all.emit("dropped", dropped));
    each.on("settled", (settled) => all.emit("settled", settled));
  }
  return all;
}
