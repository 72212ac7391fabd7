/** The scenarios of the launcher that are not in scenarios.test.ts. */
import { expect } from "vitest";
import { describeScenarios, PLANS, SOME, WAITED_OUT } from "./launch.ts";

describeScenarios([
  ["deny", { orders: 0, blocked: { p33_permit_denied: PLANS }, blocked_detail: { simulated_denial: PLANS } }],
  ["kill-switch", { blocked: { kill_switch_active: SOME } }],
  [
    "slow-p33",
    { ok: PLANS, executed: PLANS, wait_ms: { min: expect.toSatisfy((waitMs: number) => waitMs >= 200) } },
  ],
  ["missing-p33", { orders: 0, blocked: { missing_p33: PLANS }, wait_ms: WAITED_OUT }],
  ["missing-governor", { orders: 0, blocked: { missing_governor: PLANS }, wait_ms: WAITED_OUT }],
  ["late-p33", { orders: 0, blocked: { missing_p33: PLANS }, wait_ms: WAITED_OUT }],
  [
    "portfolio",
    {
      ok: SOME,
      orders: SOME,
      blocked: { p26_permit_denied: SOME },
      blocked_detail: { portfolio_state_unknown: SOME },
    },
  ],
  ["dry-run", { ok: PLANS, executed: 0, orders: 0 }],
  [
    "limits",
    {
      blocked: { governor_permit_denied: SOME },
      blocked_detail: { burst_limit_exceeded: SOME },
    },
  ],
  ["disarm", { blocked: { disarmed: SOME } }],
]);
