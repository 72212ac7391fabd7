export { BOOKKEEPING_EVERY_MS, type BookkeepingOptions, keepBooks } from "./bookkeeping.ts";
export { type Consume, createConsume, type ConsumeOptions, type Consumed, type Verdict } from "./consume.ts";
export { createDisarm, type Disarm, disarm, type DisarmedPlace } from "./disarm.ts";
export { executedSince } from "./executions.ts";
export { dropMistyped, type Index } from "./indexes.ts";
export {
  type Amounts,
  type Answer,
  createIssuer,
  type Issued,
  type Issuer,
  type IssuerOptions,
  type Limit,
  type PlanAttempt,
} from "./issue.ts";
export { haltKeys } from "./keys.ts";
export { PermitWait, type WaitEvents, type WaitOptions } from "./wait.ts";
