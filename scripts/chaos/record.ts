/**
 * The history of a campaign: what `start` keeps of the streams, and beside it each entry's id and words, for the
 * timeline of a plan that went wrong and for what Redis was made to forget.
 */
import { parseProposal, planId } from "@quantum/contract";
import { History, type StreamName } from "../start/history.ts";

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

export class Recorder extends History {
  /** Of every entry that was understood: its record → its id. */
  readonly #ids = new Map<object, string>();
  readonly #lines = new Map<string, Line[]>();
  /** Plan id → id of the entry that proposed it last. */
  readonly proposalIds = new Map<string, string>();
  /** Plan ids that can end no more, since Redis was made to forget them. */
  readonly forgotten = new Set<string>();
  readonly #lastIds = new Map<StreamName, string>();

  override take(stream: StreamName, id: string, fields: Record<string, string>): void {
    super.take(stream, id, fields);
    this.#lastIds.set(stream, id);
    const record = stream === "proposal" ? undefined : this[`${stream}s`].at(-1);
    if (record !== undefined && !this.#ids.has(record)) this.#ids.set(record, id);
    const plan = stream === "proposal" ? proposedPlan(fields) : fields["plan_id"];
    if (plan === undefined) return;
    if (stream === "proposal") {
      this.proposalIds.set(plan, id);
      this.forgotten.delete(plan);
    }
    const shown = SHOWN_FIELDS[stream].flatMap((name) => (fields[name] ? [`${name}=${fields[name]}`] : []));
    this.note(plan, { atMs: Number(id.split("-")[0]), text: `${stream} ${id} ${shown.join(" ")}` });
  }

  /** Of a record in plans, permits, executes or results. */
  idOf(record: object): string {
    const id = this.#ids.get(record);
    if (id === undefined) throw new Error("a record that no stream told of");
    return id;
  }

  /** The last entry read of each stream. */
  get lastIds(): ReadonlyMap<StreamName, string> {
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

function proposedPlan(fields: Record<string, string>): string | undefined {
  const parsed = parseProposal(fields["symbol"] ?? "", fields);
  return parsed.ok ? planId(parsed.proposal) : undefined;
}
