/**
 * The stream entries, as their readers see them. Source: docs/wire.md, "Streams".
 *
 * Readers are more tolerant than writers: unknown fields are ignored, booleans are taken as `True`/`true`/`1`, fields
 * that are ours are optional because the Python services do not write them.
 */
import { z } from "zod";
import { decimal, entryId, flag, float, integer, json, planId, quantity, symbol } from "./formats.ts";
import { DECISIONS, OUTCOMES } from "./reasons.ts";

/** One step of a plan. `pct` is the share of the position to close, in percent. */
export const step = z.object({
  step: z.string(),
  type: z.string().optional(),
  side: z.string().optional(),
  pct: z.number().min(0).max(100).optional(),
});
export type Step = z.infer<typeof step>;

/** Whether a step may lead to an order. Python's UPDATE_SL is a step of an EXECUTE and leads to none. */
export function isClosing({ step: name }: Pick<Step, "step">): boolean {
  return name.startsWith("CLOSE_");
}

/** `apply.plan`. `attempt_no`, `deadline_ms` and `mode` are ours. */
export const planEntry = z.object({
  plan_id: planId,
  symbol,
  action: z.string(),
  kill_score: float,
  decision: z.enum(DECISIONS),
  reason_codes: z.string().default(""),
  steps: json(z.array(step)),
  attempt_no: integer.optional(),
  deadline_ms: integer.optional(),
  mode: z.string().default(""),
  /** Of an operator's plan: `operator` or `drill`. Issuers do not answer a plan that has one, whatever it says. */
  class: z.string().default(""),
});
export type PlanEntry = z.infer<typeof planEntry>;

/** `apply.permit`, ours: one entry per permit decision. `attempt` is the entry id of the plan that was answered. */
export const permitEntry = z.object({
  plan_id: planId,
  symbol,
  issuer: z.string(),
  verdict: z.enum(["granted", "denied"]),
  reason: z.string().default(""),
  issued_at_ms: integer,
  attempt: z.string().default(""),
  /** How many issuers have answered the attempt, this one included; empty where there is no record to count in. */
  answers: z.union([z.literal(""), integer]).default(""),
});
export type PermitEntry = z.infer<typeof permitEntry>;

/** As in a signed permit. A longer name would stand in every log line and result of its plan. */
const NAME_MAX = 200;

/** `apply.execute`, ours: a plan whose permits have been spent. Written by the consume script and the operators' exit. */
export const executeEntry = z.object({
  plan_id: planId,
  symbol,
  attempt: entryId,
  attempt_no: integer.refine((attemptNo) => attemptNo > 0, "a whole number from 1"),
  step: z.string().max(NAME_MAX),
  close_pct: decimal,
  position_amt: decimal,
  safe_qty: quantity,
  max_qty: z.union([z.literal(""), quantity]),
  valid_until_ms: integer,
  opened_at_ms: integer,
  /** By the publisher's clock, but not after `opened_at_ms`. */
  proposed_ms: integer.optional(),
  mode: z.string().max(NAME_MAX),
  /** The spent permits' signed texts, one a line; empty from issuers that sign nothing. An operator's plan has one. */
  signed: z.string().default(""),
});
export type ExecuteEntry = z.infer<typeof executeEntry>;

/** `apply.result`. Fields after `timestamp` are ours. */
export const resultEntry = z.object({
  plan_id: planId,
  symbol,
  decision: z.string(),
  executed: flag,
  would_execute: flag.default(false),
  steps_results: json(z.array(z.record(z.string(), z.unknown()))).default([]),
  error: z.string().default(""),
  timestamp: float.optional(),
  attempt: z.string().default(""),
  outcome: z.enum(OUTCOMES).optional(),
  reason: z.string().default(""),
  order_id: z.string().default(""),
  executed_qty: z.string().default(""),
  avg_price: z.string().default(""),
  settled_at_ms: integer.optional(),
  /** How long the plan waited for its permits; absent if it did not, or if its record is gone. */
  wait_ms: integer.optional().catch(undefined),
  /** The plan would have closed more, but the exchange takes no larger order; absent if not. */
  capped_by_venue: flag.default(false),
  /** Id of the result that this one corrects, because its order showed up after all; else empty. */
  corrects: z.string().default(""),
  /** Of an operator's plan: `operator` or `drill`. It is charged to no limit, and starts no cooldown. */
  class: z.string().default(""),
});
export type ResultEntry = z.infer<typeof resultEntry>;

/** What an operator's exit is called in the audit. */
export const EXIT_ACTIONS = ["exit.flatten", "exit.close", "exit.drill"] as const;
export type ExitAction = (typeof EXIT_ACTIONS)[number];

/** `operator.audit`, ours: one entry per change by an operator. `who` is `user@host`, or `name@console`. */
export const auditEntry = z.object({
  action: z.string(),
  target: z.string(),
  who: z.string(),
  reason: z.string(),
  at_ms: integer,
  detail: json(z.record(z.string(), z.unknown())),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/**
 * The one audit entry that is also a command, to P3.3: accept the exchange's position of `target` as right. `detail`
 * names the mismatch that the operator was shown (`disagrees_since_ms`); a later one is not accepted by it. A command older
 * than `validMs`, such as one that a new group finds in the stream, is ignored.
 */
export const HOLD_ACCEPT = { action: "hold.accept", validMs: 30_000 } as const;

/** The problems of an entry, in one line, for the dead-letter stream. */
export function describeIssues(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "entry"}: ${issue.message}`).join("; ");
}

/** Fields in order, flat, as XADD takes them. */
export function flatFields(fields: Record<string, string>): string[] {
  return Object.entries(fields).flat();
}
