/** One plan with all that is known of it, for a screen. */
import { ISSUERS, meaningOf, outcomeOfOrder, traceIdOf } from "@quantum/contract";
import { addedAtMs } from "@quantum/streams";
import type { OpenAccess } from "./access.ts";
import { type Conclusion, conclude } from "./conclusion.ts";
import {
  capsOf,
  type Fields,
  type OrderTexts,
  type PlanHistory,
  type PlanTexts,
  findPlan,
} from "./plan-history.ts";
import { type Stage, timelineOf } from "./timeline.ts";

export interface PlanView {
  planId: string;
  /** "" if nothing tells it. */
  symbol: string;
  conclusion: Conclusion;
  /** Oldest first. */
  attempts: readonly AttemptView[];
  permits: readonly PermitView[];
  caps: readonly { issuer: string; cap: string; reason: string; meaning: string }[];
  record: Fields;
  order: Fields;
  /** What the exchange said of the order, in its own words; "" if nothing. */
  venueSaid: string;
  /** What is not shown, and why: a sentence each. */
  unreadable: readonly string[];
  /** Of the plan, if the services make traces. */
  traceId: string;
}

export interface AttemptView {
  /** Id of its `apply.plan` entry. */
  attempt: string;
  openedAtMs: number;
  deadlineMs: number | undefined;
  stages: readonly Stage[];
}

export interface PermitView {
  issuer: string;
  /** "" if it has not answered. */
  verdict: string;
  reason: string;
  /** From the opening; undefined if it has not answered. */
  waitMs: number | undefined;
  /** Id of the key that signed; "" if unsigned. */
  key: string;
  /** What the executor found of the signature; "" if it has not looked. */
  signature: string;
}

/** A page of a plan is not kept waiting by a stream of ten thousand plans. */
const ATTEMPTS_BUDGET_MS = 100;

/** Undefined: nothing is known of it. */
export async function viewPlan(access: OpenAccess, planId: string): Promise<PlanView | undefined> {
  const history = await findPlan(access, planId, { attemptsBudgetMs: ATTEMPTS_BUDGET_MS });
  return history && viewOf(history, access.nowMs());
}

export function viewOf(history: PlanHistory, nowMs: number): PlanView {
  const { planId, record, order, unreadable, notSearched } = history;
  return {
    planId,
    symbol: symbolOf(history),
    conclusion: conclude(history, nowMs),
    attempts: timelineOf(history).map(({ attempt, stages }) => ({
      attempt,
      openedAtMs: attempt === "" ? (stages[0]?.atMs ?? 0) : addedAtMs(attempt),
      deadlineMs: deadlineOf(history, attempt),
      stages,
    })),
    permits: permitsOf(history),
    caps: capsOf(record).map((cap) => ({ ...cap, meaning: meaningOf(cap.reason)?.meaning ?? "" })),
    record: textsOf(record),
    order: textsOf(order),
    venueSaid: venueSaidOf(order),
    unreadable: [
      ...unreadable,
      ...(notSearched === undefined
        ? []
        : [
            `attempts before ${new Date(notSearched).toISOString()}: they were not looked for, permitctl explain ${planId} does`,
          ]),
    ],
    traceId: traceIdOf(planId),
  };
}

/** "" if nothing tells it. */
export function symbolOf({ record, order, plans, results }: PlanHistory): string {
  return record.symbol ?? order.symbol ?? (plans[0] ?? results[0])?.fields["symbol"] ?? "";
}

function deadlineOf({ record, plans }: PlanHistory, attempt: string): number | undefined {
  const recorded = record.attempt === attempt ? record.deadline_ms : undefined;
  const deadline = recorded ?? plans.find(({ id }) => id === attempt)?.fields["deadline_ms"];
  return deadline === undefined || Number.isNaN(Number(deadline)) ? undefined : Number(deadline);
}

/** Of the newest attempt: what its record says, or without a record what the issuers told the apply-layer. */
function permitsOf(history: PlanHistory): PermitView[] {
  const { record, permits, plans } = history;
  if (record.attempt === undefined) {
    const attempt = history.order.attempt ?? plans.at(-1)?.id ?? "0-0";
    return permits
      .filter(({ fields }) => (fields["attempt"] ?? "") === "" || fields["attempt"] === attempt)
      .map(({ id, fields }) => ({
        issuer: fields["issuer"] ?? "",
        verdict: fields["verdict"] ?? "",
        reason: fields["reason"] ?? "",
        waitMs: attempt === "0-0" ? undefined : addedAtMs(id) - addedAtMs(attempt),
        key: "",
        signature: "",
      }));
  }
  // An operator's plan waits for nobody.
  const lacked = record.class === undefined && record.deadline_ms !== undefined ? ISSUERS : [];
  const answered = Object.keys(record).flatMap((field) => /^(.+)_verdict$/.exec(field)?.[1] ?? []);
  return [...new Set([...lacked, ...answered])].map((issuer) => permitOf(record, issuer));
}

function permitOf(record: PlanTexts, issuer: string): PermitView {
  const answeredAt = record[`${issuer}_at_ms`] ?? record[`${issuer}_seen_ms`];
  return {
    issuer,
    verdict: record[`${issuer}_verdict`] ?? "",
    reason: record[`${issuer}_reason`] ?? "",
    waitMs:
      answeredAt === undefined ? undefined : Number(answeredAt) - Number(record.opened_at_ms ?? answeredAt),
    key: record[`${issuer}_key`] ?? "",
    signature: record[`${issuer}_signature`] ?? "",
  };
}

/** An order that was never claimed was not sent: nobody answered. */
function venueSaidOf(order: OrderTexts): string {
  if (order.client_order_id === undefined) return "";
  if (order.state !== undefined && outcomeOfOrder(order.state) === "UNKNOWN") return order.why ?? "";
  return order.detail === "stated_by_operator" ? "" : (order.detail ?? "");
}

function textsOf(texts: PlanTexts | OrderTexts): Fields {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
  );
}
