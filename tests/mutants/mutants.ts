/** The planted bugs, in the order of the table. */
import { BOOK_MUTANTS } from "./book-mutants.ts";
import { CLOCK_MUTANTS } from "./clock-mutants.ts";
import { CLOSE_MUTANTS } from "./close-mutants.ts";
import { CONNECTION_MUTANTS } from "./connection-mutants.ts";
import { CONSOLE_MUTANTS } from "./console-mutants.ts";
import { EVENT_MUTANTS } from "./event-mutants.ts";
import { EXCHANGE_MUTANTS } from "./exchange-mutants.ts";
import { EXIT_MUTANTS } from "./exit-mutants.ts";
import { HALT_MUTANTS } from "./halt-mutants.ts";
import { INTAKE_MUTANTS } from "./intake-mutants.ts";
import { KEY_MUTANTS } from "./key-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { OPERATOR_MUTANTS } from "./operator-mutants.ts";
import { ORDER_MUTANTS } from "./order-mutants.ts";
import { PAGE_MUTANTS } from "./page-mutants.ts";
import { PARTITION_MUTANTS } from "./partition-mutants.ts";
import { PERMIT_MUTANTS } from "./permit-mutants.ts";
import { PLAN_MUTANTS } from "./plan-mutants.ts";
import { PORTFOLIO_MUTANTS } from "./portfolio-mutants.ts";
import { QUERY_MUTANTS } from "./query-mutants.ts";
import { TRUST_MUTANTS } from "./trust-mutants.ts";
import { TEXT_MUTANTS } from "./text-mutants.ts";
import { SERVICE_MUTANTS } from "./service-mutants.ts";

export const MUTANTS: readonly Mutant[] = [
  ...ORDER_MUTANTS,
  ...PERMIT_MUTANTS,
  ...PORTFOLIO_MUTANTS,
  ...PARTITION_MUTANTS,
  ...INTAKE_MUTANTS,
  ...KEY_MUTANTS,
  ...HALT_MUTANTS,
  ...TRUST_MUTANTS,
  ...EXIT_MUTANTS,
  ...OPERATOR_MUTANTS,
  ...BOOK_MUTANTS,
  ...EVENT_MUTANTS,
  ...EXCHANGE_MUTANTS,
  ...CLOSE_MUTANTS,
  ...PLAN_MUTANTS,
  ...CLOCK_MUTANTS,
  ...TEXT_MUTANTS,
  ...SERVICE_MUTANTS,
  ...CONNECTION_MUTANTS,
  ...CONSOLE_MUTANTS,
  ...PAGE_MUTANTS,
  ...QUERY_MUTANTS,
];
