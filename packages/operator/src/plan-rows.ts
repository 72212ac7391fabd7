/** One line of a list of plans, from an entry of a stream. Pure. */
import { addedAtMs, type Entry } from "@quantum/streams";

export interface PlanRow {
  planId: string;
  symbol: string;
  /** By Redis's clock. */
  atMs: number;
  /** An outcome, or a state without an end: `WAITING`, `PERMITTED`, `SENT`, `UNKNOWN`. */
  outcome: string;
  reason: string;
  /** The issuer's own reason, the exchange's words, or what a correction corrects. */
  detail: string;
  /** Decimal text; "" if nothing was executed. */
  executedQty: string;
  waitMs: number | undefined;
  /** `operator` or `drill`; "" for ordinary plans. */
  class: string;
  /** Id of the result that this one corrects; "" if none. */
  corrects: string;
}

type Fields = Readonly<Record<string, string>>;

/** From an `apply.result` entry: how an attempt ended. */
export function rowOfResult({ id, fields }: Entry): PlanRow {
  const text = (name: string) => fields[name] ?? "";
  return {
    ...rowOfEntry({ id, fields }),
    // The Python apply-layer names none.
    outcome: fields["outcome"] ?? (text("executed") === "True" ? "EXECUTED" : text("decision")),
    executedQty: text("executed_qty"),
    reason: text("reason") || text("error"),
    detail: text("detail"),
    corrects: text("corrects"),
  };
}

/** From an `apply.execute` entry: its permits are spent. */
export function rowOfVerdict(entry: Pick<Entry, "id" | "fields">): PlanRow {
  return { ...rowOfEntry(entry), outcome: "PERMITTED" };
}

function rowOfEntry({ id, fields }: Pick<Entry, "id" | "fields">): PlanRow {
  const { wait_ms: waitMs } = fields;
  return {
    planId: fields["plan_id"] ?? "",
    symbol: fields["symbol"] ?? "",
    atMs: addedAtMs(id),
    outcome: "",
    reason: "",
    detail: "",
    executedQty: "",
    waitMs: waitMs === undefined || waitMs === "" ? undefined : Number(waitMs),
    class: fields["class"] ?? "",
    corrects: "",
  };
}

/** How a result says that its attempt ended. */
export function outcomeText(fields: Fields): string {
  const reason = (fields["reason"] ?? "") || (fields["error"] ?? "");
  return [fields["outcome"], reason].filter(Boolean).join(" ");
}

/** @param corrected what the entry said; undefined where it is gone */
export function correctsText(id: string, corrected: string | undefined): string {
  return corrected === undefined ? `corrects ${id}` : `corrects ${corrected} (${id})`;
}
