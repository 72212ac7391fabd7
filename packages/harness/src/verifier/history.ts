/**
 * A compact record of the streams' contents, because streams are trimmed and the checks need all of it. The stream tail
 * feeds it. The display, progress output, the end of a bounded run and the invariants use it.
 */
import { EventEmitter } from "node:events";
import {
  describeIssues,
  executeEntry,
  parseProposal,
  permitEntry,
  planEntry,
  planId,
  resultEntry,
  type Outcome,
} from "@quantum/contract";
import { addedAtMs, partsOf } from "@quantum/streams";
import { z } from "zod";

export interface PlanRecord {
  /** Id of the `apply.plan` entry. */
  attempt: string;
  planId: string;
  symbol: string;
  decision: string;
  reason: string;
}

export interface PermitRecord {
  attempt: string;
  planId: string;
  symbol: string;
  issuer: string;
  verdict: "granted" | "denied";
}

/** Permits that were spent, and the plan's handover to the executor. Quantities are decimal text. */
export interface ExecuteRecord {
  /** By Redis's clock. After that clock has stepped back, the time in an entry's id may be ahead of it. */
  atMs: number;
  attempt: string;
  attemptNo: number;
  planId: string;
  symbol: string;
  closePct: string;
  positionAmt: string;
  safeQty: string;
  /** The cap of another issuer's permit, if there is one. */
  maxQty: string | undefined;
  validUntilMs: number;
  waitMs: number | undefined;
  /** The spent permits' signed texts, one a line. */
  signed: string;
}

export interface ResultRecord {
  /** The entry's id. */
  id: string;
  /** The entry that this one corrects. */
  corrects: string | undefined;
  attempt: string;
  planId: string;
  symbol: string;
  outcome: Outcome | undefined;
  executed: boolean;
  reason: string;
  /** The denying issuer's own reason. */
  detail: string;
  orderId: string;
  executedQty: string;
  /** What was done, as the result describes it. */
  details: string;
  waitMs: number | undefined;
}

export interface HistoryEvents {
  plan: [PlanRecord];
  result: [ResultRecord];
  /** An entry that its schema rejects. */
  malformed: [{ stream: string; id: string; problem: string }];
}

export type StreamName = "proposal" | "plan" | "permit" | "execute" | "result";

/** A stream of one partition. That of the proposals, which is everybody's, counts as partition 0's. */
export type StreamRef = `${StreamName}:${number}`;

export function streamRef(name: StreamName, partition: number): StreamRef {
  return `${name}:${partition}`;
}

/** No entry's own sequence comes near it: a unique id's has the partition in the digits beyond. */
const PER_PARTITION = 10 ** 9;

/** Streams of different partitions give the same ids. */
function uniqueId(id: string, partition: number): string {
  if (partition === 0) return id;
  const [ms, sequence] = partsOf(id);
  return `${ms}-${partition * PER_PARTITION + Number(sequence)}`;
}

// Fields that our scripts write in addition to those that other readers use.
const wait = z.object({ wait_ms: z.coerce.number().optional() });
const executeSchema = executeEntry.extend(wait.shape);
const resultSchema = resultEntry.extend({ ...wait.shape, detail: z.string().default("") });

export class History extends EventEmitter<HistoryEvents> {
  /** Entries of the proposal stream, including repeated ones. */
  proposals = 0;
  readonly proposedPlanIds = new Set<string>();
  readonly plans: PlanRecord[] = [];
  readonly permits: PermitRecord[] = [];
  readonly executes: ExecuteRecord[] = [];
  readonly results: ResultRecord[] = [];
  /** Attempts that have a result. */
  readonly ended = new Set<string>();
  readonly #endedPlanIds = new Set<string>();
  readonly #open = new Set<string>();
  /** Plan id → partition, of plans that are not in partition 0. */
  readonly #partitions = new Map<string, number>();

  /** Plan ids that were proposed or published and have not ended. */
  get open(): ReadonlySet<string> {
    return this.#open;
  }

  /** The id under which an attempt stands here: a history may have to tell equal ids apart. */
  attemptOf(plan: string, attempt: string): string {
    return uniqueId(attempt, this.#partitions.get(plan) ?? 0);
  }

  take(stream: StreamName, id: string, fields: Record<string, string>, partition = 0): void {
    try {
      if (partition === 0) this.#add(stream, id, fields);
      else this.#add(stream, uniqueId(id, partition), this.#withUniqueIds(fields, partition));
    } catch (error) {
      this.emit("malformed", { stream, id, problem: (error as Error).message });
    }
  }

  #withUniqueIds(told: Record<string, string>, partition: number): Record<string, string> {
    const { plan_id: plan = "", attempt, corrects } = told;
    this.#partitions.set(plan, partition);
    return {
      ...told,
      ...(attempt && { attempt: uniqueId(attempt, partition) }),
      ...(corrects && { corrects: uniqueId(corrects, partition) }),
    };
  }

  #add(stream: StreamName, id: string, fields: Record<string, string>): void {
    switch (stream) {
      case "proposal":
        this.#addProposal(fields);
        break;
      case "plan":
        this.#addPlan(id, read(planEntry, fields));
        break;
      case "permit":
        this.#addPermit(read(permitEntry, fields));
        break;
      case "execute":
        this.#addExecute(id, read(executeSchema, fields));
        break;
      case "result":
        this.#addResult(id, read(resultSchema, fields));
        break;
    }
  }

  #addProposal(fields: Record<string, string>): void {
    this.proposals++;
    const parsed = parseProposal(fields["symbol"] ?? "", fields);
    if (!parsed.ok) throw new Error(parsed.problems.join("; "));
    const proposed = planId(parsed.proposal);
    this.proposedPlanIds.add(proposed);
    if (!this.#endedPlanIds.has(proposed)) this.#open.add(proposed);
  }

  #addPlan(attempt: string, entry: z.output<typeof planEntry>): void {
    const plan = {
      attempt,
      planId: entry.plan_id,
      symbol: entry.symbol,
      decision: entry.decision,
      reason: entry.reason_codes,
    };
    this.plans.push(plan);
    // The streams are read in batches, so a result may be read before its plan.
    if (!this.ended.has(attempt)) this.#open.add(plan.planId);
    this.emit("plan", plan);
  }

  #addPermit({ attempt, plan_id, symbol, issuer, verdict }: z.output<typeof permitEntry>): void {
    this.permits.push({ attempt, planId: plan_id, symbol, issuer, verdict });
  }

  #addExecute(id: string, entry: z.output<typeof executeSchema>): void {
    this.executes.push({
      atMs: entry.wait_ms === undefined ? addedAtMs(id) : entry.opened_at_ms + entry.wait_ms,
      attempt: entry.attempt,
      attemptNo: entry.attempt_no,
      planId: entry.plan_id,
      symbol: entry.symbol,
      closePct: entry.close_pct,
      positionAmt: entry.position_amt,
      safeQty: entry.safe_qty,
      maxQty: entry.max_qty === "" ? undefined : entry.max_qty,
      validUntilMs: entry.valid_until_ms,
      waitMs: entry.wait_ms,
      signed: entry.signed,
    });
  }

  #addResult(id: string, entry: z.output<typeof resultSchema>): void {
    const details = entry.steps_results[0]?.["details"];
    const result = {
      id,
      corrects: entry.corrects === "" ? undefined : entry.corrects,
      attempt: entry.attempt,
      planId: entry.plan_id,
      symbol: entry.symbol,
      outcome: entry.outcome,
      executed: entry.executed,
      reason: entry.reason,
      detail: entry.detail,
      orderId: entry.order_id,
      executedQty: entry.executed_qty,
      details: typeof details === "string" ? details : "",
      waitMs: entry.wait_ms,
    };
    this.results.push(result);
    this.ended.add(result.attempt);
    this.#endedPlanIds.add(result.planId);
    this.#open.delete(result.planId);
    this.emit("result", result);
  }
}

function read<Schema extends z.ZodType>(schema: Schema, fields: Record<string, string>): z.output<Schema> {
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  throw new Error(describeIssues(parsed.error));
}
