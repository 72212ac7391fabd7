/** What the two kinds of an operator's plans have in common: their entry, and what is needed to obey it. */
import type { ExecuteEntry } from "@quantum/contract";
import type { Exchange, RuleBook } from "@quantum/exchange";
import type { ExecutorEvents } from "../events.ts";
import type { PartitionJournal } from "../journal.ts";
import type { Orders } from "../orders.ts";
import type { RedisMemory } from "../redis-memory.ts";
import type { Steps } from "../steps.ts";
import type { DrillReports } from "./drill-reports.ts";
import type { ExitState } from "./exit-state.ts";
import type { Told } from "./told.ts";
import type { ExitTrust } from "./verify-exit.ts";

/** An entry of `apply.execute` that claims to be an operator's. */
export interface ExitEntry {
  entryId: string;
  entry: ExecuteEntry;
  deliveries: number;
  /** Since when this executor has owned the orders, in ms by Redis's clock. */
  ownerSinceMs: number;
}

export interface ExitOptions {
  orders: Orders;
  exchange: Exchange;
  rules: RuleBook;
  memory: RedisMemory;
  journal: PartitionJournal;
  events: ExecutorEvents;
  steps: Steps;
  told: Told;
  state: Pick<ExitState, "drilled">;
  drillReport: DrillReports;
  trust: ExitTrust;
  recvWindowMs: number;
  /** Redis's clock, in ms. */
  now: () => number;
}
