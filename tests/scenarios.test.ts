/** Scenarios of the launcher; those that differ little from one of these are in scenarios.slow.test.ts. */
import { describeScenarios, PLANS } from "./launch.ts";

describeScenarios([["healthy", { ok: PLANS, executed: PLANS, orders: PLANS, blocked: {} }]]);
