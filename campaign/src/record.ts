/**
 * A campaign's history: the same as in `start`, plus each entry's id and text, for the timeline of a failed plan and
 * for finding what Redis lost.
 */
import { parseProposal, PARTITIONS_MAX, planId } from "@quantum/contract";
import { addedAtMs, partsOf } from "@quantum/streams";
import { History, type StreamName, type StreamRef, streamRef } from "@quantum/harness";

export interface Line {
  atMs: number;
  text: string;
}

const SHOWN_FIELDS: Readonly<Record<StreamName, readonly string[]>> = {
  proposal: ["symbol", "harvest_action"],
  plan: ["symbol", "decision", "reason_codes", "attempt_no"],
  permit: ["issuer", "verdict", "reason", "attempt"],
  execute: ["attempt", "attempt_no", "safe_qty", "position_amt", "close_pct", "valid_until_ms"],
  result: ["attempt", "outcome", "executed", "reason", "detail", "order_id", "executed_qty"],
};

/** No entry's own sequence comes near it: a unique id's has partition and losses in the digits beyond. */
const PER_PARTITION = 10 ** 9;
const PER_LOSS = PARTITIONS_MAX * PER_PARTITION;

/**
 * After Redis lost its last entries, it may assign the same ids again if its clock is behind them. Ids are unique here:
 * the number of losses before an entry was read is part of its id, and so is its partition.
 */
export class Recorder extends History {
  #losses = 0;
  /** Plan id and id of the `apply.plan` entry → its unique id. */
  readonly #attempts = new Map<string, string>();
  /** Plan id and id of a result → its unique id. */
  readonly #results = new Map<string, string>();
  /** The record of each parsed entry → its unique id. */
  readonly #ids = new Map<object, string>();
  readonly #lines = new Map<string, Line[]>();
  /** Plan id → id of its latest proposal entry. */
  readonly proposalIds = new Map<string, string>();
  /** Plan ids that can no longer end, because Redis was made to lose them. */
  readonly forgotten = new Set<string>();
  readonly #lastIds = new Map<StreamRef, string>();
  /** Plan id → its partition. */
  readonly #partitions = new Map<string, number>();

  override take(stream: StreamName, streamId: string, told: Record<string, string>, partition = 0): void {
    const id = this.#unique(streamId, partition);
    if (told["plan_id"] !== undefined) this.#partitions.set(told["plan_id"], partition);
    const own = `${told["plan_id"]} ${streamId}`;
    if (stream === "plan") this.#attempts.set(own, id);
    if (stream === "result") this.#results.set(own, id);
    const fields = this.#withUniqueIds(told);
    super.take(stream, id, fields);
    this.#lastIds.set(streamRef(stream, partition), streamId);
    const record = stream === "proposal" ? undefined : this[`${stream}s`].at(-1);
    if (record !== undefined && !this.#ids.has(record)) this.#ids.set(record, id);
    const plan = stream === "proposal" ? proposedPlan(fields) : fields["plan_id"];
    if (plan === undefined) return;
    if (stream === "proposal") {
      this.proposalIds.set(plan, id);
      this.forgotten.delete(plan);
    }
    const shown = SHOWN_FIELDS[stream].flatMap((name) => (fields[name] ? [`${name}=${fields[name]}`] : []));
    this.note(plan, { atMs: addedAtMs(id), text: `${stream} ${id} ${shown.join(" ")}` });
  }

  /** Call this after Redis was made to lose data, when everything before has been read. */
  forget(): void {
    this.#losses += 1;
  }

  /** The unique id of a plan's attempt. */
  override attemptOf(plan: string, attempt: string): string {
    return this.#attempts.get(`${plan} ${attempt}`) ?? this.#unique(attempt, this.#partitions.get(plan) ?? 0);
  }

  #unique(streamId: string, partition: number): string {
    const [ms, sequence] = partsOf(streamId);
    return `${ms}-${this.#losses * PER_LOSS + partition * PER_PARTITION + Number(sequence)}`;
  }

  #withUniqueIds(told: Record<string, string>): Record<string, string> {
    const { plan_id: plan = "", attempt, corrects } = told;
    return {
      ...told,
      ...(attempt && { attempt: this.attemptOf(plan, attempt) }),
      ...(corrects && { corrects: this.#results.get(`${plan} ${corrects}`) ?? corrects }),
    };
  }

  /** The unique id of a record in plans, permits, executes or results. */
  idOf(record: object): string {
    const id = this.#ids.get(record);
    if (id === undefined) throw new Error("this record came from no stream");
    return id;
  }

  /** The last entry read from each stream. */
  get lastIds(): ReadonlyMap<StreamRef, string> {
    return this.#lastIds;
  }

  override get open(): ReadonlySet<string> {
    return super.open.difference(this.forgotten);
  }

  note(plan: string, line: Line): void {
    const lines = this.#lines.get(plan) ?? [];
    lines.push(line);
    this.#lines.set(plan, lines);
  }

  timeline(plan: string): readonly Line[] {
    return this.#lines.get(plan) ?? [];
  }
}

/** The stream's own id, its partition, and the number of losses before the entry was read. */
export function readUnique(id: string): { streamId: string; partition: number; losses: number } {
  const [ms, text] = partsOf(id);
  const sequence = Number(text);
  return {
    streamId: `${ms}-${sequence % PER_PARTITION}`,
    partition: Math.floor((sequence % PER_LOSS) / PER_PARTITION),
    losses: Math.floor(sequence / PER_LOSS),
  };
}

function proposedPlan(fields: Record<string, string>): string | undefined {
  const parsed = parseProposal(fields["symbol"] ?? "", fields);
  return parsed.ok ? planId(parsed.proposal) : undefined;
}
