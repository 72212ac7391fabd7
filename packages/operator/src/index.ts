/** An operator's queries and changes: what `permitctl` shows and does, and what a console can stand on. */
export { type Access, AccessError, type AccessProblem, type OpenAccess, withAccess } from "./access.ts";
export {
  clearDisarm,
  drop,
  endDoubt,
  type Forced,
  force,
  giveKillReason,
  halt,
  type Halted,
  type Mandate,
  requeue,
  resumeExchange,
  setKillSwitch,
  type Stated,
  type Statement,
} from "./changes.ts";
export { type Conclusion, conclude } from "./conclusion.ts";
export { type DeadLetter, readDeadLetter, readDeadLetters } from "./dead-letters.ts";
export { type Check, checkDeployment } from "./deployment.ts";
export { ACTS_WITHIN_MS, awaitEndOfDoubt, type Doubt, type EndOfDoubt, readOrder } from "./doubts.ts";
export { duration } from "./duration.ts";
export { type Closure, exitAccount, type Scope, targetsOf, whyNot } from "./exit/account.ts";
export type { Ending } from "./exit/course.ts";
export { haltFirst } from "./exit/halt-first.ts";
export type { Sight } from "./exit/plan.ts";
export { drill, type Drilled, readAccount } from "./exit/report.ts";
export { type ExitState, exitText, whyNotArmed } from "./exit/state.ts";
export type { SymbolEnd, SymbolStep, Target } from "./exit/symbol.ts";
export { type ExchangeClient, type ExchangeState, type LimitUse, readExchange } from "./exchange.ts";
export type { Group, Service } from "./groups.ts";
export { type Disarm, type Halts, type KillRecord, readHalts } from "./halts.ts";
export { acceptHold, type Hold, type LedgerStart, readHold, readHolds } from "./holds.ts";
export {
  type ExitOrder,
  type ExitSigner,
  openDrill,
  type OpenedExit,
  openExit,
  venueName,
} from "./open-exit.ts";
export { type ExchangePause, readPauses } from "./pauses.ts";
export { type PlanHistory, readPlan } from "./plan-history.ts";
export { type PresentPlan, readPresentPlans } from "./present-plans.ts";
export { correctsText, readResults, type Result, type ResultFilter } from "./results.ts";
export { readStatus, type Status } from "./status.ts";
export type { SymbolState } from "./symbols.ts";
export { type Attempt, type Stage, timelineOf } from "./timeline.ts";
export { checkVenue } from "./venue-check.ts";
export type { Unfulfilled } from "./unfulfilled.ts";
export { tailWaits } from "./waits.ts";
