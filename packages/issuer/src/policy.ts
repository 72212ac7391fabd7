/** What differs between issuers. {@link runIssuer} does everything else. */
import type { PlanEntry, PythonJson, ResultEntry } from "@quantum/contract";
import type { Amounts, Answer, Issued } from "@quantum/permits";

/** An answer, and fields for its log line. */
export type Decision = Answer & { readonly told?: Readonly<Record<string, string>> };

export interface Policy {
  /**
   * Decides on a plan that asks for a permit. Called again if others have since reserved what it grants. If it throws,
   * the plan stays pending and is delivered again.
   */
  decide(plan: PlanEntry, turn: Turn): Decision | Promise<Decision>;
  /** Called when the answer is written and the plan acknowledged. A crash may skip this call. */
  answered?(plan: PlanEntry, issued: Issued): Promise<void>;
  /** Called before a result ends the plan's reservation. By default the reservation is released. */
  settling?(read: ReadResult): Promise<Settlement>;
  /**
   * Called for the result of an operator's exit, before it is acknowledged. Nobody has permitted it, so it ends no reservation,
   * is charged to nobody and starts no cooldown; `settling` and `settled` are not called.
   */
  exited?(read: ReadResult): Promise<Settlement>;
  /** Called when the reservation has ended; `before`: an earlier delivery of the result ended it. */
  settled?(read: ReadResult, before: boolean): Promise<void>;
}

export interface Turn {
  /** When the answer must be sent, by performance.now(). */
  answerBy: number;
  /** False if an earlier answer to this plan had a conflict. */
  isFirst: boolean;
}

export interface ReadResult {
  result: ResultEntry;
  /** When the result was added to its stream, by Redis's clock. */
  addedAtMs: number;
  /** The plan has an order, or may have one. */
  placed: boolean;
  /** Resolves when the result has been settled or left pending. */
  handled: Promise<void>;
}

export type Settlement =
  /** `executed`: what is charged. Without it the reservation is released. */
  | { kind: "settle"; executed?: { amounts: Amounts; atMs: number } }
  /** The result stays pending and is delivered again, at the latest when `again` resolves. */
  | { kind: "retry"; reason: string; again?: Promise<void> };

/** A permit with the issuer's own fields. */
export function grant(reason: string, permit: Readonly<Record<string, PythonJson>> = {}): Decision {
  return { verdict: "granted", reason, permit };
}

export function deny(reason: string, context: Readonly<Record<string, PythonJson>> = {}): Decision {
  return { verdict: "denied", reason, context };
}
