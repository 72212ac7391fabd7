/** Scenarios of the launcher; those that differ little from one of these are in scenarios.slow.test.ts. */
import { describeScenarios, PLANS, WAITED_OUT } from "./launch.ts";

describeScenarios([
  ["healthy", { ok: PLANS, executed: PLANS, orders: PLANS, blocked: {} }],
  ["missing-p33", { orders: 0, blocked: { missing_p33: PLANS }, wait_ms: WAITED_OUT }],
]);
