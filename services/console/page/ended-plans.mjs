/** The list of plans as they end. Pure. */
/** @import { PlanRow } from "../src/api.ts" */

/**
 * A plan stands there once, with the last that was told of it: its verdict, then the end of its order.
 *
 * @param {readonly PlanRow[]} known newest first
 * @param {readonly PlanRow[]} news newest first; a stream that was opened again may tell the last ones twice
 * @returns {PlanRow[]} newest first
 */
export function withNews(known, news) {
  /** @type {Map<string, PlanRow>} */
  const last = new Map();
  for (const row of [...news, ...known]) if (!last.has(row.planId)) last.set(row.planId, row);
  return [...last.values()];
}

/**
 * What was told of one plan; another text once there is more to tell.
 *
 * @param {readonly PlanRow[]} rows
 * @param {string} id
 */
export function signOf(rows, id) {
  const row = rows.find(({ planId }) => planId === id);
  return row === undefined ? "" : `${row.atMs} ${row.outcome}`;
}
