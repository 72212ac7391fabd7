/** What an issuer has of its own: everything else of its work is {@link runIssuer}'s. */
import type { PlanEntry, PythonJson, ResultEntry } from "@quantum/contract";
import type { Amounts, Answer, Issued } from "@quantum/permits";

/** An answer, and what the log tells about it. */
export type Decision = Answer & { readonly told?: Readonly<Record<string, string>> };

export interface Policy {
  /**
   * The answer to a plan that asks for a permit. Asked again if others have meanwhile reserved what it grants.
   * If it throws, the plan stays pending and comes again.
   */
  decide(plan: PlanEntry, turn: Turn): Decision | Promise<Decision>;
  /** The answer is written, and the plan acknowledged: a crash loses what is done here, and nothing else. */
  answered?(plan: PlanEntry, issued: Issued): Promise<void>;
  /** Before a result ends the plan's reservation. Nothing, unless it says otherwise. */
  settling?(read: ReadResult): Promise<Settlement>;
  /** The reservation has ended; `before`: by an earlier delivery of the result. */
  settled?(read: ReadResult, before: boolean): Promise<void>;
}

export interface Turn {
  /** When the answer has to be on its way, by performance.now(). */
  answerBy: number;
  /** False if an answer to this plan met a conflict. */
  isFirst: boolean;
}

export interface ReadResult {
  result: ResultEntry;
  /** When the result was added to its stream, by Redis's clock. */
  addedAtMs: number;
  /** An order came of the plan, or may have. */
  placed: boolean;
  /** Resolves when the result is settled, or left pending. */
  handled: Promise<void>;
}

export type Settlement =
  /** `executed`: what is charged; without it, the reservation is released. */
  | { kind: "settle"; executed?: { amounts: Amounts; atMs: number } }
  /** The result stays pending and comes again. */
  | { kind: "retry"; reason: string };

/** A permit with the issuer's own fields. */
export function grant(reason: string, permit: Readonly<Record<string, PythonJson>> = {}): Decision {
  return { verdict: "granted", reason, permit };
}

export function deny(reason: string, context: Readonly<Record<string, PythonJson>> = {}): Decision {
  return { verdict: "denied", reason, context };
}
