/**
 * The order of plans in a list over several partitions, and where a list goes on: newest first, then the lower partition; of a plan without an end and a
 * result with the same id, the plan. Pure.
 */
import { isLater } from "@quantum/streams";
import type { PlanRow } from "./plan-rows.ts";

/** Where a row stands in the list. */
export interface Cursor {
  id: string;
  partition: number;
  isUnfinished: boolean;
}

export interface Found extends Cursor {
  attempt: string;
  row: PlanRow;
}

/** What was found in one partition, in order. */
export interface Page {
  found: readonly Found[];
  /** The last place that was looked at; undefined: there is no more. */
  next: Cursor | undefined;
}

/** Where a partition's list goes on: behind `id`, of which some rows have been seen. Undefined: from its beginning. */
export type From = { id: string; seen: "all" | "unfinished" | "none" } | undefined;

export function inOrder(a: Cursor, b: Cursor): number {
  if (a.id !== b.id) return isLater(a.id, b.id) ? -1 : 1;
  if (a.partition !== b.partition) return a.partition - b.partition;
  return Number(b.isUnfinished) - Number(a.isUnfinished);
}

/** One page of all: no further than where a partition has not been looked at, since it may have rows there. */
export function mergePages(pages: readonly Page[], limit: number): Page {
  const [horizon] = pages.flatMap(({ next }) => next ?? []).toSorted(inOrder);
  const known = pages
    .flatMap(({ found }) => found)
    .filter((row) => horizon === undefined || inOrder(row, horizon) <= 0)
    .toSorted(inOrder);
  if (known.length < limit) return { found: known, next: horizon };
  const found = known.slice(0, limit);
  const last = found.at(-1);
  // As with one partition: a full page has a next one, which may be empty.
  return { found, next: last && { id: last.id, partition: last.partition, isUnfinished: last.isUnfinished } };
}

export function within(cursor: Cursor | undefined, partition: number): From {
  if (cursor === undefined) return undefined;
  const { id } = cursor;
  if (partition < cursor.partition) return { id, seen: "all" };
  if (partition > cursor.partition) return { id, seen: "none" };
  return { id, seen: cursor.isUnfinished ? "unfinished" : "all" };
}

const CURSOR = /^(\d{1,15}-\d{1,15})(u?)(?:@(\d{1,2}))?$/;

/** @param partitions how many there are: of one, the cursor names none */
export function textOf({ id, partition, isUnfinished }: Cursor, partitions: number): string {
  return `${id}${isUnfinished ? "u" : ""}${partitions === 1 ? "" : `@${partition}`}`;
}

/** @throws RangeError if the text is not one of ours */
export function cursorOf(text: string): Cursor {
  const [, id, mark, partition = "0"] = CURSOR.exec(text) ?? [];
  if (id === undefined) throw new RangeError(`cursor ${JSON.stringify(text)}: it is none of ours`);
  return { id, partition: Number(partition), isUnfinished: mark === "u" };
}
