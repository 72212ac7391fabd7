/** How many partitions there are, or how far a change of their number is: the value of `quantum:partitions`. Pure. */
import { PARTITIONS_MAX } from "@quantum/contract";

export type PartitionsState =
  | { kind: "settled"; count: number }
  /** The source is whole, and the target is not. */
  | { kind: "copying"; from: number; to: number }
  /** All is copied, and the source is not whole. */
  | { kind: "deleting"; from: number; to: number }
  /** The source is deleted, and not every copy has its name. */
  | { kind: "naming"; from: number; to: number };

/** By what is done. */
const KINDS: Readonly<Record<string, "copying" | "deleting" | "naming">> = {
  "": "copying",
  " copied": "deleting",
  " deleted": "naming",
};

/** @returns undefined if it says none of these */
export function stateOf(text: string | null): PartitionsState | undefined {
  if (text === null) return { kind: "settled", count: 1 };
  const [, first, to, done = ""] = /^(\d{1,2})(?:>(\d{1,2})( copied| deleted)?)?$/.exec(text) ?? [];
  const counts = [first, to ?? first].map(Number);
  if (first === undefined || !counts.every((count) => count >= 1 && count <= PARTITIONS_MAX))
    return undefined;
  const [from = 1, target = 1] = counts;
  if (to === undefined) return { kind: "settled", count: from };
  return { kind: KINDS[done] ?? "copying", from, to: target };
}

export function textOf(state: PartitionsState): string {
  if (state.kind === "settled") return String(state.count);
  const done = Object.keys(KINDS).find((told) => KINDS[told] === state.kind) ?? "";
  return `${state.from}>${state.to}${done}`;
}
