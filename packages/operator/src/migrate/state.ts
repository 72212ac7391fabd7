/** How many partitions there are, or how far a change of their number is: the value of `quantum:partitions`. Pure. */
import { PARTITIONS_MAX } from "@quantum/contract";

export type PartitionsState =
  | { kind: "settled"; count: number }
  /** The source is whole, and the target is not. */
  | { kind: "copying"; from: number; to: number }
  /** The target is whole, and the source is not. */
  | { kind: "deleting"; from: number; to: number };

/** @returns undefined if it says none of these */
export function stateOf(text: string | null): PartitionsState | undefined {
  if (text === null) return { kind: "settled", count: 1 };
  const [, first, to, copied] = /^(\d{1,2})(?:>(\d{1,2})( copied)?)?$/.exec(text) ?? [];
  const counts = [first, to ?? first].map(Number);
  if (first === undefined || !counts.every((count) => count >= 1 && count <= PARTITIONS_MAX))
    return undefined;
  const [from = 1, target = 1] = counts;
  if (to === undefined) return { kind: "settled", count: from };
  return { kind: copied === undefined ? "copying" : "deleting", from, to: target };
}

export function textOf(state: PartitionsState): string {
  if (state.kind === "settled") return String(state.count);
  return `${state.from}>${state.to}${state.kind === "deleting" ? " copied" : ""}`;
}
