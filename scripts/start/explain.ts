/** Under a BLOCK, in a few words: why nothing can go wrong, and what to look at. */
const NOTHING_SENT = "safe: nothing was spent, nothing was sent";

const LOOK_AT: Readonly<Record<string, string>> = {
  missing_both: "governor and position-brain: are both ready (/readyz), and do they read apply.plan?",
  missing_governor: "the governor: is it ready (/readyz), does quantum_stream_lag grow (/metrics)?",
  missing_p33: "position-brain: is it ready (/readyz), does quantum_stream_lag grow (/metrics)?",
  governor_permit_denied: "detail=, the governor's reason; quantum:governor:block:<plan> has the numbers",
  p33_permit_denied: "detail=, P3.3's reason; quantum:position:snapshot:<symbol> and ledger beside it",
  invalid_safe_close_qty: "quantum:position:snapshot:<symbol>: P3.3 permitted no positive quantity",
  kill_switch_active: "quantum:global:kill_switch: the pipeline goes on when it is deleted",
  disarmed: "quantum:governor:disarm tells why; deleting it and today's arms the pipeline again",
  deadline_passed: "the apply-layer: its last look came after the deadline; is the machine overloaded?",
  backlog_full: "quantum_permit_waiting_plans of the apply-layer: proposals come faster than plans end",
  simulated_source: "the feed: simulated proposals are refused at a real venue",
};

export function explain(reason: string): string {
  const malformed = /^invalid_(.+)_permit_format$/.exec(reason)?.[1];
  const lookAt =
    LOOK_AT[reason] ??
    (malformed === undefined
      ? "the plan's record, GET /plans/<plan> of the apply-layer"
      : `what ${malformed} writes into its permit`);
  return `${NOTHING_SENT}; look at ${lookAt}`;
}
