/** An operator's queries and changes: what `permitctl` shows and does, and what a console can stand on. */
export { withoutCredentials } from "@quantum/redis";
export {
  type Access,
  AccessError,
  openAccess,
  type OpenAccess,
  PartitionsError,
  type StandingAccess,
  withAccess,
} from "./access.ts";
export type { AccessProblem } from "./access-problem.ts";
export {
  drop,
  endDoubt,
  type Forced,
  force,
  type Mandate,
  requeue,
  resumeExchange,
  setKillSwitch,
  type Stated,
  type Statement,
} from "./changes.ts";
export { type Conclusion, conclude } from "./conclusion.ts";
export { type AuditList, type AuditRow, pageAudit } from "./audit.ts";
export {
  DEAD_LETTER_ID,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterList,
  type DeadLetterQuery,
  dropLetters,
  type Handled,
  pageDeadLetters,
  readDeadLetter,
  requeueLetters,
  wantedDeadLetters,
} from "./dead-letters.ts";
export { type Addresses, type Check, checkDeployment } from "./deployment.ts";
export { ACTS_WITHIN_MS, awaitEndOfDoubt, type Doubt, type EndOfDoubt, readOrder } from "./doubts.ts";
export { duration } from "./duration.ts";
export { type Closure, exitAccount, type Scope, targetsOf, whyNot } from "./exit/account.ts";
export type { Ending } from "./exit/course.ts";
export { haltFirst } from "./exit/halt-first.ts";
export type { Sight } from "./exit/plan.ts";
export { drill, type Drilled, readAccount } from "./exit/report.ts";
export { armedText, type ExitState } from "./exit/state.ts";
export type { SymbolEnd, SymbolStep, Target } from "./exit/symbol.ts";
export { type ExchangeClient, type ExchangeState, type LimitUse, readExchange } from "./exchange.ts";
export { followEnds } from "./follow-ends.ts";
export { type Group, readGroups, type Service, whyNoPipeline } from "./groups.ts";
export { type AllHalts, readAllHalts } from "./all-halts.ts";
export { missingText, type Patience, type Reached } from "./everywhere.ts";
export { giveKillReasonEverywhere, haltEverywhere } from "./halt-everywhere.ts";
export { partlyText, placesText, WHAT_KILL_ON_MEANS } from "./halt-operations.ts";
export { disarmText, holdText, killText, pauseText } from "./halt-texts.ts";
export type { Disarm, KillRecord } from "./halts.ts";
export { acceptHold, type Hold, type LedgerStart, readHold, readHolds } from "./holds.ts";
export type { Caps, Limits } from "./limits.ts";
export {
  type ExitOrder,
  type ExitSigner,
  openDrill,
  type OpenedExit,
  openExit,
  venueName,
} from "./open-exit.ts";
export { FORCE_TEXTS, type OperationName, operations } from "./operations.ts";
export type { Operation, Preview } from "./operation.ts";
export { type Overview, OverviewMemory, readOverview } from "./overview.ts";
export { type ExchangePause, readPauses } from "./pauses.ts";
export type { Place } from "./place.ts";
export { Refusal } from "./refusal.ts";
export { findPlan, placeOfPlan, type PlanHistory, readPlan } from "./plan-history.ts";
export { type PresentPlan, readPresentPlans } from "./present-plans.ts";
export type { PlanRow } from "./plan-rows.ts";
export { askAt } from "./probes.ts";
export { type PlanList, type PlanQuery, type SearchOptions, searchPlans } from "./search-plans.ts";
export type { SymbolState } from "./symbols.ts";
export { type Attempt, type Stage, timelineOf } from "./timeline.ts";
export { type PartitionState, readPartitions } from "./migrate/list.ts";
export { lookBefore, migrate, type Migrated, NotMigrated } from "./migrate/migrate.ts";
export type { PartitionsState } from "./migrate/state.ts";
export { findResettable, type Reset, resetEach, type Resettable } from "./reset.ts";
export { checkVenue } from "./venue-check.ts";
export type { Unfulfilled } from "./unfulfilled.ts";
export {
  hashPassword,
  isPassword,
  PASSWORD_MAX_CHARS,
  type PasswordHash,
  whyNoPassword,
} from "./users/password.ts";
export {
  addUser,
  type ConsoleUser,
  readUsers,
  removeUser,
  USER_ROLES,
  UsersFileError,
  whyNoUserName,
} from "./users/users-file.ts";
export { type AttemptView, type PermitView, type PlanView, symbolOf, viewOf, viewPlan } from "./view-plan.ts";
export { type SymbolView, viewSymbol } from "./view-symbol.ts";
export { type WaitHistory, type WaitMinute, WaitTally } from "./wait-tally.ts";
export type { WaitingPlan } from "./waiting-plans.ts";
export { type EndedWait, type LastWait, tailWaits } from "./waits.ts";
