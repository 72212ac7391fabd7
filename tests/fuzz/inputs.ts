/** What is damaged: each kind of input as it should be, and each one another plan's. */
import { parseProposal, planId } from "@quantum/contract";
import { type SimState, SYMBOLS } from "@quantum/harness/rig";

const MICROSECONDS = 1_000;
const EXECUTE_TTL_MS = 2_500;
/** P3.3 does not wait for fills that old. */
export const LONG_AGO_SEC = Math.floor(Date.now() / 1000) - 300;

let made = 0;

export const nextId = () => `f${(made += 1).toString(16).padStart(15, "0")}`;
export const symbolOf = (index: number) => SYMBOLS[index % SYMBOLS.length] ?? "";

/** The fields of a stream entry; it would execute. */
export function nextProposal(symbol: string): Record<string, string> & { symbol: string } {
  const now = new Date();
  made += 1;
  return {
    symbol,
    harvest_action: "PARTIAL_25",
    kill_score: "0.5273976547718264",
    new_sl_proposed: "100.2",
    R_net: "7.013614233516237",
    k_regime_flip: "0.0",
    k_ts_drop: "1e-05",
    sigma: "0.0113984",
    // To the millisecond: what seems to be older than the executor's knowledge of Redis would only be queried.
    computed_at_utc: now.toISOString().replace("Z", String(made % MICROSECONDS).padStart(3, "0")),
    last_update_epoch: String(Math.floor(now.getTime() / 1000)),
  };
}

export function planIdOf(fields: Record<string, string> & { symbol: string }): string {
  const parsed = parseProposal(fields.symbol, fields);
  if (!parsed.ok) throw new Error(parsed.problems.join("; "));
  return planId(parsed.proposal);
}

/** As the Python apply-layer writes it; now and then as ours does. */
export function plan(index: number): Record<string, string> {
  const ours = { attempt_no: "1", mode: "paper", deadline_ms: String(Date.now() + 1_200) };
  return {
    plan_id: nextId(),
    symbol: symbolOf(index),
    action: "PARTIAL_25",
    kill_score: "0.5",
    new_sl_proposed: "",
    R_net: "4.2",
    decision: "EXECUTE",
    reason_codes: "",
    steps: '[{"step": "CLOSE_PARTIAL_25", "type": "market_reduce_only", "side": "close", "pct": 25.0}]',
    close_qty: "0.0",
    price: "",
    timestamp: String(Math.floor(Date.now() / 1000)),
    ...(index % 4 === 0 ? ours : {}),
  };
}

/** Whose position at the start every execute entry names. */
export const POSITION_OF = "BTCUSDT";

export function execute(index: number): Record<string, string> {
  const nowMs = Date.now();
  return {
    plan_id: nextId(),
    symbol: symbolOf(index),
    attempt: `${nowMs}-${made}`,
    attempt_no: "1",
    step: "CLOSE_PARTIAL_25",
    close_pct: "25.0",
    position_amt: "0.062",
    safe_qty: "0.01",
    max_qty: "",
    valid_until_ms: String(nowMs + EXECUTE_TTL_MS),
    opened_at_ms: String(nowMs),
    mode: "paper",
  };
}

/** Of an order that the exchange knows, as the Python executor tells it. */
export function result(index: number, { orders }: SimState): Record<string, string> {
  const order = orders[0] as (SimState["orders"][0] & { orderId: string; side: string }) | undefined;
  const qty = order?.executedQty ?? "0";
  const step = { step: "CLOSE_FULL", status: "success", order_id: order?.orderId, side: order?.side };
  return {
    plan_id: nextId(),
    symbol: order?.symbol ?? "",
    decision: "EXECUTE",
    executed: index % 2 === 0 ? "True" : "False",
    would_execute: "False",
    steps_results: JSON.stringify([{ ...step, quantity: qty, executed_qty: qty, reduce_only: true }]),
    error: index % 2 === 0 ? "" : "order failed",
    timestamp: String(LONG_AGO_SEC),
  };
}
