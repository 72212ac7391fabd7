/** What the issuers' reasons mean, for a denial or (P2.6's) a grant; `meanings.ts` has the others. */
import type { GovernorReason, P26Grant, P26Reason, P33Reason } from "./reasons.ts";

export interface ReasonMeaning {
  meaning: string;
  lookAt: string;
}

export const DENIAL_MEANINGS = {
  // P3.3's denials.
  exchange_paused: {
    meaning: "the exchange accepts no requests, or no orders, for a while, so nothing is promised",
    lookAt:
      "runbook ExchangePaused; `permitctl status` shows the end of the pause and the exchange's message",
  },
  venue_budget: {
    meaning:
      "90 % of the orders that the exchange accepts from the account in 10 s, or in a minute, are used; nothing was promised, or the permits are spent and no order was claimed",
    lookAt: "runbook ExchangeLimitNear; quantum_exchange_budget_used{kind}: who else trades on the account?",
  },
  no_exchange_snapshot: {
    meaning: "no reconciled position of the symbol is stored",
    lookAt: "position-brain's log: does a refresh fail, does the exchange list the symbol?",
  },
  stale_exchange_state: {
    meaning: "the stored position is older than P33_STALE_THRESHOLD_SEC",
    lookAt: "p33_snapshot_age_seconds, p33_refresh_failures_total: does the exchange answer?",
  },
  no_position: { meaning: "there is nothing to close", lookAt: "nothing: this is normal" },
  reconcile_required_side_mismatch: {
    meaning: "the exchange's position and the ledger have opposite sides: the symbol is held",
    lookAt: "compare p33_exchange_position_amt with p33_ledger_position_amt; who else trades on the account?",
  },
  reconcile_required_qty_mismatch: {
    meaning:
      "the exchange's position and the ledger differ by more than P33_QTY_TOLERANCE_PCT: the symbol is held",
    lookAt: "compare p33_exchange_position_amt with p33_ledger_position_amt; who else trades on the account?",
  },
  cooldown_in_flight: {
    meaning: "our last execution on the symbol is less than P33_COOLDOWN_SEC ago",
    lookAt: "nothing: the next proposal after the pause is decided as usual",
  },
  order_unresolved: {
    meaning: "an order of the symbol is in doubt, so the position is not known",
    lookAt: "quantum_orders_in_doubt and the executor's log: does the exchange answer queries?",
  },
  symbol_not_trading: {
    meaning:
      "the exchange takes no order of the symbol, not even to close: it has not opened yet, is being settled, or is closed",
    lookAt: "status of the symbol in exchangeInfo; at a settlement the exchange closes the position itself",
  },
  dust: {
    meaning: "the whole position is smaller than the exchange's smallest order: no order can close it",
    lookAt:
      "p33_position_dust; close it by hand at the exchange, if it offers a way, or leave it until the position grows. position-brain says it once, every plan of the symbol ends so",
  },
  quantity_promised: {
    meaning: "reservations of other plans that have not ended cover all that is left to close",
    lookAt: "nothing, unless it persists: then look for plans of the symbol that do not end",
  },
  quantity_below_minimum: {
    meaning: "the quantity that may be closed is below the exchange's minimum for an order",
    lookAt: "the size of the position; a partial close of a small one cannot be placed",
  },
  already_executed: {
    meaning: "an order of this plan id was booked, or may have been placed, within the last 7 days",
    lookAt:
      "the plan's first result in apply.result; a plan can be published again after the operators' reset, or when its dedupe mark has expired",
  },
  simulated_denial: {
    meaning: "denied by a simulation setting",
    lookAt: "GOV_SIM_DENY_RATE, P33_SIM_DENY_RATE, P26_SIM_DENY_RATE: allowed at a simulated exchange only",
  },

  // The governor's denials.
  kill_score_critical_non_close: {
    meaning: "the kill score is at GOV_KILL_SCORE_CRITICAL or above, and the plan does not close",
    lookAt: "kill_score and action of the plan",
  },
  hourly_limit_exceeded: {
    meaning: "there were GOV_MAX_EXEC_PER_HOUR executions and open permits within the last hour",
    lookAt: "quantum_govern_exec_count_hour",
  },
  burst_limit_exceeded: {
    meaning:
      "there were GOV_MAX_EXEC_PER_5MIN executions and open permits within 5 minutes; if executions alone reach the limit, the governor disarms by default",
    lookAt:
      "quantum:governor:block:<plan>: used, max, and orders (the part of used that was executed); why did so many plans come?",
  },
  position_fetch_failed: {
    meaning: "the stored position is missing, malformed, flat, or more than 30 s old",
    lookAt: "p33_snapshot_age_seconds: position-brain writes the position, the governor only reads it",
  },
  limit_computation_error: {
    meaning: "the quantity is not above 0",
    lookAt: "quantum:governor:block:<plan> has the figures",
  },
  daily_limit_exceeded: {
    meaning: "the plan would exceed the UTC day's limit in dollars, or in coins where the price is unknown",
    lookAt: "quantum:governor:block:<plan>: used, adding and max, in units of 1e-8",
  },
  evaluation_error: {
    meaning: "the plan cannot be evaluated: a kill score outside 0..1, or a defect",
    lookAt: "the governor's log; several of these within an hour disarm the pipeline",
  },

  orders_refused: {
    meaning:
      "this symbol had so many errors within an hour that it is held, and the last one was less than 30 s ago; after 30 s a plan may try again",
    lookAt: "the symbol's last results: detail has the exchange's message; an executed order ends the hold",
  },

  // P2.6's denials.
  portfolio_state_unknown: {
    meaning:
      "the position or the volatility of a symbol of the portfolio is missing, stale or unreadable, so its stress cannot be told",
    lookAt:
      "the permit's context names the symbol and what is wrong; p26_fail_closed_total{reason}. Every symbol of P26_ALLOWLIST needs a snapshot of P3.3 (not older than 30 s), and one with a position a proposal with sigma (not older than 300 s)",
  },
  portfolio_cooldown: {
    meaning:
      "the symbol was closed less than P26_COOLDOWN_SEC ago, and the plan closes a quarter or less: there is no smaller step",
    lookAt: "nothing: the next proposal after the pause is decided as usual",
  },

  // P2.6's grants.
  portfolio_no_cap: { meaning: "the portfolio sets no cap on this close", lookAt: "nothing: this is normal" },
  portfolio_cap_cold: {
    meaning:
      "the portfolio's stress is below P26_STRESS_FULLCLOSE_MIN, so a full close is capped: to 75 % from a kill score of P26_KS_HARD on, else to 50 %",
    lookAt: "nothing: this is normal; p26_stress has the stress",
  },
  portfolio_cap_cooldown: {
    meaning: "the symbol was closed less than P26_COOLDOWN_SEC ago, so this close is one step smaller",
    lookAt: "nothing: this is normal",
  },
  portfolio_risk_off: {
    meaning: "the portfolio's stress is at P26_STRESS_RISKOFF or above, which lifts every cap",
    lookAt: "nothing: this is normal; p26_stress has the stress",
  },
} as const satisfies Readonly<
  Partial<Record<P33Reason | GovernorReason | P26Reason | P26Grant, ReasonMeaning>>
>;
