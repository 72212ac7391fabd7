/**
 * What the server takes from packages/operator, by the names under which it will import it. Types alone; this file goes
 * once they are there.
 */
import type { Mandate, OpenAccess } from "@quantum/operator";
import type {
  ActionName,
  Actions,
  AuditList,
  DeadLetterList,
  Now,
  PlanList,
  PlanQuery,
  PlanRow,
  PlanView,
  SymbolView,
  WaitHistory,
} from "./api.ts";

export interface Sources {
  /** Called at most twice a second, by one caller for all browsers: probes of other services keep their answer for seconds. */
  readOverview(access: OpenAccess, memory: OverviewMemory): Promise<Omit<Now, "away" | "waits">>;
  /**
   * Follows the streams on a connection of its own, in batches, until `stop`; throws when Redis goes away, and is then called
   * again, and goes on where it was. `ended` gets each batch, oldest first.
   */
  followEnds(
    access: OpenAccess,
    tally: WaitTally,
    ended: (rows: PlanRow[]) => void,
    stop: AbortSignal,
  ): Promise<void>;
  searchPlans(access: OpenAccess, query: Partial<PlanQuery>): Promise<PlanList>;
  /** Undefined: nothing is known of it. */
  viewPlan(access: OpenAccess, planId: string): Promise<PlanView | undefined>;
  pageDeadLetters(
    access: OpenAccess,
    query: { stream?: string; group?: string; reason?: string; cursor?: string },
  ): Promise<DeadLetterList>;
  viewSymbol(access: OpenAccess, symbol: string): Promise<SymbolView | undefined>;
  pageAudit(access: OpenAccess, query: { cursor?: string }): Promise<AuditList>;
  operations: { [Name in ActionName]: Operation<Omit<Actions[Name], "reason">> };
}

/** `new OverviewMemory()`: what one reader keeps from one overview to the next. Its tally is for `followEnds`. */
export interface OverviewMemory {
  readonly tally: WaitTally;
}

/** Survives a loss of Redis; bounded. */
export interface WaitTally {
  history(nowMs: number): WaitHistory;
}

/** A change by an operator, for permitctl and the console. Both throw {@link Refusal}. */
export interface Operation<Args> {
  /** What it would do and what that means. Changes nothing. */
  preview(access: OpenAccess, args: Args): Promise<Preview>;
  /** @param shown of the preview; without it, what is there now counts @returns what was done */
  run(access: OpenAccess, args: Args, by: Mandate, shown?: string): Promise<string>;
}

export interface Preview {
  text: string;
  shown: string;
}

/** The change is not possible, or no longer: nothing was changed. Its message is an operator's text. */
export interface Refusal extends Error {
  readonly name: "Refusal";
}
