/** Written by `pnpm run docs` from the headers of the scripts: change those, not this file. */
export interface Signatures {
  "exchange/budget": {
    keys: "budget";
    args: "process" | "window_ms" | "told_window" | "limit" | "ceiling" | "spent" | "holds" | "wanted" | "reported";
  };
  "exchange/pause": {
    keys: "pause";
    args: "pause_ms" | "reason";
  };
  "halts/see_kill_switch": {
    keys: "kill_switch_seen";
    args: "word" | "asked_ms";
  };
  "indexes/drop_mistyped": {
    keys: "index";
    args: "type";
  };
  "leases/own": {
    keys: "owner";
    args: "instance" | "lease_ms" | "leaves";
  };
  "ledger/keep": {
    keys: "snapshot" | "ledger";
    args: "version" | "ts_epoch" | "amount" | "alive_epoch" | "fingerprint" | "snapshot_sec" | "ledger_sec";
  };
  "ledger/refresh_turn": {
    keys: "turn";
    args: "every_ms" | "done" | "kept";
  };
  "ledger/state": {
    keys: "snapshot" | "ledger" | "unknown" | "totals";
    args: "version" | "fingerprint" | "amount";
  };
  "ledger/store": {
    keys: "snapshot" | "ledger";
    args: "version" | "snapshot_sec" | "ledger_sec" | "snapshot_fields";
    restArgs: "fields";
  };
  "ledger/want_close": {
    keys: "wanted" | "snapshot" | "ledger";
    args: "is_wanted" | "wanted_sec";
  };
  "operator/clear_disarm": {
    keys: "disarm" | "disarm_today" | "audit";
    args: "shown" | "shown_today" | "who" | "reason";
  };
  "operator/drop": {
    keys: "dead" | "audit";
    args: "dead_id" | "who" | "reason" | "detail";
  };
  "operator/end_doubt": {
    keys: "order" | "audit";
    args: "plan_id" | "outcome" | "quantity" | "who" | "reason";
  };
  "operator/exit": {
    keys: "plan" | "spent" | "order" | "plans" | "executes" | "handed_over" | "audit";
    args: "plan_id" | "symbol" | "class" | "mode" | "step" | "close_pct" | "position_amt" | "safe_qty" | "until_ms" | "signed" | "operator" | "action" | "who" | "reason" | "spent_sec" | "record_sec";
  };
  "operator/force": {
    keys: "plan" | "dedupe" | "published" | "spent" | "order" | "audit";
    args: "plan_id" | "commit" | "who" | "reason";
  };
  "operator/kill_switch": {
    keys: "kill_switch" | "audit";
    args: "value" | "who" | "reason";
  };
  "operator/requeue": {
    keys: "stream" | "dead" | "audit";
    args: "dead_id" | "who" | "reason" | "consumer" | "idle_ms";
  };
  "operator/reset": {
    keys: "plan" | "dedupe" | "published" | "spent" | "order" | "audit";
    args: "plan_id" | "commit" | "who" | "reason";
  };
  "operator/resume_exchange": {
    keys: "requests" | "orders" | "audit";
    args: "told_ms" | "who" | "reason";
  };
  "orders/adopt": {
    keys: "order" | "absent" | "absent_claims" | "plan" | "results";
    args: "plan_id" | "attempt" | "detail" | "order_id" | "executed_qty" | "avg_price" | "steps_results" | "settled_sec";
  };
  "orders/ask": {
    keys: "order" | "absent" | "absent_claims";
    args: "plan_id" | "lease_ms" | "longest_ms" | "late_longest_ms" | "late_ms";
  };
  "orders/claim": {
    keys: "order" | "unsettled" | "plan" | "spent" | "kill_switch" | "kill_switch_seen" | "disarm" | "disarm_today" | "executes" | "results" | "handed_over" | "owner";
    args: "plan_id" | "symbol" | "attempt" | "attempt_no" | "group" | "entry_id" | "client_order_id" | "side" | "quantity" | "step" | "valid_until_ms" | "venue_ms" | "window_ms" | "position_amt" | "capped_by_venue" | "refusal" | "detail" | "is_verified" | "settled_sec" | "instance" | "passes_halts" | "class";
    restArgs: "signature";
  };
  "orders/doubt": {
    keys: "order" | "unknown" | "plan" | "executes";
    args: "plan_id" | "attempt" | "why" | "group" | "entry_id";
  };
  "orders/handover_lost": {
    keys: "order" | "unsettled" | "plan" | "executes" | "results" | "handed_over";
    args: "plan_id" | "group" | "margin_ms" | "settled_sec" | "replication_id";
  };
  "orders/hold": {
    keys: "order" | "unsettled" | "plan" | "spent" | "executes" | "results" | "handed_over";
    args: "plan_id" | "symbol" | "attempt" | "attempt_no" | "group" | "entry_id" | "client_order_id" | "side" | "quantity" | "step" | "valid_until_ms" | "venue_ms" | "position_amt" | "capped_by_venue" | "is_verified" | "settled_sec" | "class";
  };
  "orders/index": {
    keys: "order" | "unsettled" | "unknown" | "symbols" | "handed_over";
    args: "plan_id" | "symbol";
  };
  "orders/keep_absent": {
    keys: "order" | "absent" | "absent_claims" | "symbols";
    args: "plan_id" | "symbol" | "settled_sec";
  };
  "orders/note": {
    keys: "order";
    args: "attempt" | "answer" | "elapsed_ms" | "absence_ms" | "pause_ms";
  };
  "orders/recall": {
    keys: "order" | "unsettled" | "plan" | "results" | "symbols" | "absent" | "absent_claims";
    args: "plan_id" | "symbol" | "attempt" | "attempt_no" | "client_order_id" | "side" | "quantity" | "step" | "venue_ms" | "window_ms" | "position_amt" | "capped_by_venue" | "class" | "settled_sec";
  };
  "orders/settle": {
    keys: "order" | "unsettled" | "unknown" | "plan" | "executes" | "results" | "handed_over" | "absent" | "absent_claims";
    args: "plan_id" | "attempt" | "outcome" | "reason" | "detail" | "order_id" | "executed_qty" | "avg_price" | "steps_results" | "group" | "settled_sec";
  };
  "orders/tell_exit": {
    keys: "plan";
    args: "attempt" | "field" | "value";
  };
  "permits/balance": {
    keys: "open" | "expiry" | "totals" | "executions" | "charges";
    args: "reserve_ms" | "counts";
  };
  "permits/consume": {
    keys: "plan" | "spent" | "waiting" | "executes" | "handed_over" | "results" | "kill_switch" | "kill_switch_seen" | "disarm" | "disarm_today";
    restKeys: "issuer";
    args: "plan_id" | "halt" | "execute_ms" | "grace_ms" | "spent_sec" | "dry_run_sec" | "overdue_ms" | "quantity_issuer";
    restArgs: "issuer";
  };
  "permits/disarm": {
    keys: "disarm" | "disarm_today" | "events";
    args: "reason" | "context_json" | "today_sec";
  };
  "permits/issue": {
    keys: "plan" | "permit" | "denial" | "spent" | "kill_switch" | "kill_switch_seen" | "disarm" | "disarm_today" | "permits" | "plans" | "open" | "expiry" | "totals" | "executions" | "charges" | "unsettled" | "booked";
    args: "plan_id" | "symbol" | "issuer" | "attempt" | "group" | "verdict" | "reason" | "permit_json" | "context_json" | "permit_sec" | "denial_sec" | "amounts" | "limits" | "reserve_ms";
  };
  "permits/release_ended": {
    keys: "plan" | "handed_over" | "unsettled" | "open" | "expiry" | "totals" | "executions" | "charges";
    args: "plan_id" | "attempt" | "charges" | "result_ms" | "fills_ms";
  };
  "permits/settle_reservation": {
    keys: "results" | "open" | "expiry" | "totals" | "executions" | "charges" | "booked";
    args: "group" | "entry_id" | "attempt" | "amounts" | "executed_ms" | "fate" | "fate_sec";
  };
  "plans/look_after": {
    keys: "plan" | "dedupe" | "spent" | "order" | "waiting" | "symbols" | "handed_over" | "results";
    args: "plan_id" | "symbol" | "attempt";
  };
  "plans/open": {
    keys: "plan" | "dedupe" | "published" | "spent" | "order" | "waiting" | "symbols" | "plans" | "results" | "kill_switch" | "kill_switch_seen" | "disarm" | "disarm_today";
    restKeys: "left";
    args: "plan_id" | "symbol" | "decision" | "reason" | "mode" | "wait_ms" | "dedupe_sec" | "published_sec" | "record_sec" | "step" | "close_pct" | "proposed_ms" | "fresh_ms" | "max_age_ms";
    restArgs: "entry";
  };
  "streams/dead_letter": {
    keys: "stream" | "dead";
    args: "group" | "entry_id" | "reason" | "deliveries";
    restArgs: "fields";
  };
  "streams/remove_consumers": {
    keys: "stream";
    args: "group" | "keep" | "idle_ms";
  };
}
