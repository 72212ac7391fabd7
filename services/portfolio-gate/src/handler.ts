/** P2.6's policy: its decision on a plan, and the executions from which its cooldown counts. */
import { EventEmitter } from "node:events";
import { isClosing, type PlanEntry, PythonFloat } from "@quantum/contract";
import type { Decision, Policy, ReadResult, Settlement } from "@quantum/issuer";
import { decide, type Judgement, type Rules } from "./decide.ts";
import { isUnknown, type Portfolio, type Unknown } from "./portfolio.ts";
import type { PortfolioReader } from "./reader.ts";

const WHOLE_PCT = 100;

export interface GateEvents {
  judged: [{ plan: PlanEntry; pct: number; judgement: Judgement; portfolio: Portfolio | Unknown }];
}

export class PortfolioGate extends EventEmitter<GateEvents> implements Policy {
  readonly #reader: PortfolioReader;
  readonly #rules: Rules;

  constructor(reader: PortfolioReader, rules: Rules) {
    super();
    this.#reader = reader;
    this.#rules = rules;
  }

  async decide(plan: PlanEntry): Promise<Decision> {
    const { symbol, kill_score: killScore } = plan;
    const [read, cooling] = await Promise.all([this.#reader.portfolio(), this.#reader.isCooling(symbol)]);
    const portfolio = typeof cooling === "boolean" || isUnknown(read) ? read : cooling;
    const pct = closedPct(plan);
    const facts = { symbol, killScore, pct, portfolio, isCooling: cooling === true };
    const judgement = decide(facts, this.#rules);
    this.emit("judged", { plan, pct, judgement, portfolio });
    return answerOf(judgement, portfolio);
  }

  /** The script that acknowledges the result records the execution, so a restart loses none. */
  async settling({ addedAtMs, placed }: ReadResult): Promise<Settlement> {
    // Nothing is reserved, so no amount is charged. Only the time counts.
    return placed ? { kind: "settle", executed: { amounts: {}, atMs: addedAtMs } } : { kind: "settle" };
  }
}

function closedPct({ steps }: PlanEntry): number {
  const sum = steps.filter(isClosing).reduce((total, { pct }) => total + (pct ?? WHOLE_PCT), 0);
  return Math.min(sum, WHOLE_PCT);
}

function answerOf(judgement: Judgement, portfolio: Portfolio | Unknown): Decision {
  if (judgement.verdict === "denied") return judgement;
  const { reason } = judgement;
  const stress = isUnknown(portfolio) ? undefined : portfolio.stress;
  const cap = judgement.verdict === "capped" ? judgement : undefined;
  return {
    verdict: "granted",
    reason,
    permit: {
      reason,
      ...(cap && { computed_qty: new PythonFloat(cap.qty), cap_pct: cap.pct }),
      ...(stress !== undefined && { stress: new PythonFloat(stress) }),
    },
    told: { reason, stress: String(stress), ...(cap && { capPct: String(cap.pct), capQty: cap.qty }) },
  };
}
