/** In one sentence, why a plan ended as it did, or what it waits for. Pure. */
import { meaningOf, outcomeOfOrder } from "@quantum/contract";
import { capsOf, type Fields, type OrderTexts, type PlanHistory, type PlanTexts } from "./plan-history.ts";
import { lackingOf } from "./waiting-plans.ts";

export interface Conclusion {
  /** A state of the record, an outcome, or `unknown`. */
  state: string;
  reason: string;
  sentence: string;
  /** What an operator looks at; "" where nothing is wrong. */
  lookAt: string;
}

const SAFE = "nothing was spent, nothing was sent";
/** How a meaning says that all is normal. */
const NOTHING = "nothing";

export function conclude(history: PlanHistory, nowMs: number): Conclusion {
  const { record, order, results } = history;
  const result = results.at(-1)?.fields ?? {};
  const opened = history.plans.at(-1)?.fields ?? {};
  // The order outlives the record, and knows more than it.
  const current = record.attempt === undefined || record.attempt === order.attempt ? order : {};
  const ordered = current.state === undefined ? undefined : outcomeOfOrder(current.state);
  const state = ordered ?? record.state ?? result["outcome"] ?? "unknown";
  const word = (name: "reason" | "detail" | "order_id" | "executed_qty" | "client_order_id") =>
    current[name] || record[name] || result[name] || "";
  const reason = state === "UNKNOWN" ? (order.why ?? "") : word("reason");
  const denial = word("detail");
  const meaning = meaningOf(reason);
  const why = meaning === undefined ? reason : `${meaning.meaning} (${reason})`;
  const waitMs = record.wait_ms ?? result["wait_ms"] ?? history.executes.at(-1)?.fields["wait_ms"];
  const waited = waitMs === undefined ? "" : ` after ${waitMs} ms`;
  const permitted = `every permit had arrived${waited}${cappedText(record)}`;
  const sentences: Record<string, string> = {
    SKIP: `Skipped: ${why}; ${SAFE}.`,
    ERROR: `Ended as an error: ${why}; ${SAFE}.`,
    BLOCKED: `Blocked${waited}: ${denialText(reason, denial) ?? why}; ${SAFE}.`,
    DRY_RUN: `Dry run: ${permitted} and was spent; this mode places no order.`,
    WAITING: waitingText(history, nowMs),
    PERMITTED: `Permitted: ${permitted} and was spent; the executor has not claimed the order yet.`,
    SENT: `In progress: order ${order.client_order_id} is claimed, and its answer is not recorded yet.`,
    UNKNOWN: `In doubt: the exchange's answer to order ${order.client_order_id} was ambiguous (${reason}). The symbol is blocked until the exchange's records settle the order${statedText(order)}; nothing is sent again.`,
    EXECUTED: `Executed: ${permitted}, and order ${word("order_id") || word("client_order_id")} closed ${word("executed_qty")}${order.detail === "stated_by_operator" ? ", as an operator stated" : ""}${venueCapText(order, result)}${correctedText(order)}.`,
    REJECTED: `Rejected: ${why}${denial === "" ? "" : `: ${denial}`}; nothing was executed.`,
    NOT_PLACED: `Not placed: ${why}; the permits are spent, and ${againText(order, record)}.`,
    unknown: unknownText(opened, result),
    ...(record.class !== undefined &&
      exitSentences(record, { why, said: denial, executed: word("executed_qty") })),
  };
  const lookAt =
    {
      EXECUTED: "",
      DRY_RUN: "",
      UNKNOWN: meaningOf("order_unresolved")?.lookAt,
    }[state] ??
    meaningOf(denial)?.lookAt ??
    meaning?.lookAt ??
    "";
  return {
    state,
    reason,
    sentence: sentences[state] ?? `Its state is ${state}.`,
    lookAt: lookAt.startsWith(NOTHING) ? "" : lookAt,
  };
}

/** Of an operator's plan: no permit was waited for, and it is used once. */
function exitSentences(
  { class: kind, operator, exit_left: left = "" }: PlanTexts,
  { why, said, executed }: { why: string; said: string; executed: string },
): Record<string, string> {
  const by = `${kind === "drill" ? "a drill" : "an exit"} by ${operator}`;
  const after = left === "" ? "" : `; the exchange then reported a position of ${left}`;
  return {
    PERMITTED: `Handed over: ${by}; no executor has claimed it yet.`,
    EXECUTED: `Executed: ${by} closed ${executed}${after}.`,
    NOT_PLACED: `${kind === "drill" ? "Ended" : "Not placed"}: ${by}: ${why}${said === "" ? "" : `: ${said}`}${after}.`,
  };
}

/** Whose permit was for less than P3.3's, and why. */
function cappedText(record: PlanTexts): string {
  const caps = capsOf(record).map(({ issuer, cap, reason }) => {
    const meaning = meaningOf(reason)?.meaning;
    return `${issuer}'s for no more than ${cap} (${meaning === undefined ? reason : `${reason}: ${meaning}`})`;
  });
  return caps.length === 0 ? "" : `, ${caps.join(" and ")}`;
}

/** The order key is kept for a week; the result's entry may be trimmed earlier, or outlive it. */
function venueCapText(order: OrderTexts, result: Fields): string {
  if (order.capped_by_venue !== "1" && result["capped_by_venue"] !== "True") return "";
  return ". The exchange takes no larger order of the symbol (capped_by_venue): the next proposal closes more";
}

function statedText({ stated_outcome: outcome, stated_qty: quantity }: OrderTexts): string {
  if (outcome === undefined) return "";
  const what = [outcome, quantity].filter(Boolean).join(" ");
  return `, or until the exchange once more reports no such order: an operator stated ${what}`;
}

/** Its order was denied by everything the exchange said, and showed up later. */
function correctedText({ corrected_at_ms: correctedAt, result_id: corrects }: OrderTexts): string {
  if (correctedAt === undefined) return "";
  return `. It had ended NOT_PLACED; its order showed up later, and the result was corrected (${corrects})`;
}

/** A claim recorded a client order id: the plan was perhaps sent, and stays closed whatever evidence says. */
function againText(order: OrderTexts, record: PlanTexts): string {
  if ((order.client_order_id ?? record.client_order_id) !== undefined)
    return "the order was claimed: the plan never opens again";
  if (order.state === undefined)
    return "the order key is gone: only the record of spent permits keeps the plan closed, for 7 days";
  return "nothing was sent: the plan may open again";
}

/** Undefined unless an issuer denied: its own reason says more than ours. */
function denialText(reason: string, detail: string): string | undefined {
  const issuer = /^(.+)_permit_denied$/.exec(reason)?.[1];
  if (issuer === undefined) return undefined;
  const meaning = meaningOf(detail)?.meaning;
  return `${issuer} denied: ${meaning === undefined ? detail : `${meaning} (${detail})`}`;
}

/** A plan of the Python apply-layer, whose results name no outcome, or one whose record and result are gone. */
function unknownText(opened: Fields, result: Fields): string {
  const { decision, executed, error = "" } = result;
  if (decision === undefined)
    return `Published with decision ${opened["decision"] ?? "?"}; neither record nor result shows how it ended.`;
  return `Its result has decision=${decision}, executed=${executed}${error === "" ? "" : `, error=${error}`}; it has no outcome.`;
}

function waitingText({ record }: PlanHistory, nowMs: number): string {
  const lacking = lackingOf(record).join(" and ");
  const leftMs = Number(record.deadline_ms) - nowMs;
  if (leftMs >= 0) return `Waiting for ${lacking}, ${leftMs} ms left.`;
  return `Still waiting although its deadline passed ${-leftMs} ms ago: no apply-layer is running.`;
}
