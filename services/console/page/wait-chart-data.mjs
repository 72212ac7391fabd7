/** What the charts of the last hour draw. Pure. */
/** @import { WaitHistory, WaitMinute } from "../src/api.ts" */

export const LEVELS = 5;
const MINUTES = 60;
const MINUTE_MS = 60_000;
/** More colours than this cannot be told apart; the other reasons are drawn as one. */
export const REASONS_SHOWN = 5;

/**
 * How dark a cell is, from 1 to `LEVELS`; 0 for none. By powers of ten, nearly: one plan must be seen beside a thousand.
 *
 * @param {number} count
 * @param {number} most of all cells
 */
export function levelOf(count, most) {
  if (count <= 0) return 0;
  if (most <= 1) return LEVELS;
  return 1 + Math.round((Math.log(count) / Math.log(most)) * (LEVELS - 1));
}

/**
 * The classes that hold anything, and those between: rows of nothing but zeros say nothing.
 *
 * @param {WaitHistory} history
 * @returns {{ from: number, to: number }} `to` is not included
 */
export function usedClasses({ boundsMs, minutes }) {
  const classes = boundsMs.length + 1;
  const used = Array.from({ length: classes }, (_, index) =>
    minutes.some(({ permitted, blocked }) => (permitted[index] ?? 0) + (blocked[index] ?? 0) > 0),
  );
  const from = used.indexOf(true);
  if (from < 0) return { from: 0, to: classes };
  return { from, to: used.lastIndexOf(true) + 1 };
}

/**
 * `≤ 10 ms`, `> 5 s`.
 *
 * @param {readonly number[]} boundsMs
 * @param {number} index
 */
export function classLabel(boundsMs, index) {
  const bound = boundsMs[index];
  return bound === undefined ? `> ${short(boundsMs.at(-1) ?? 0)}` : `≤ ${short(bound)}`;
}

/** @param {number} ms */
function short(ms) {
  return ms < 1_000 ? `${ms} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}

/**
 * Where a wait lies on a scale of equal classes, in classes from the shortest: 2.5 is the middle of the third one.
 *
 * @param {readonly number[]} boundsMs
 * @param {number} ms
 */
export function placeOf(boundsMs, ms) {
  const index = boundsMs.findIndex((bound) => ms <= bound);
  if (index < 0) return boundsMs.length + 0.5;
  const [lower, upper] = [boundsMs[index - 1] ?? 0, boundsMs[index] ?? 0];
  return index + (upper === lower ? 0.5 : (ms - lower) / (upper - lower));
}

/** @param {readonly number[]} counts */
export const sum = (counts) => counts.reduce((total, count) => total + count, 0);

/**
 * @param {readonly WaitMinute[]} minutes
 * @returns {{ permitted: number, blocked: number }}
 */
export function totalsOf(minutes) {
  return {
    permitted: sum(minutes.map(({ permitted }) => sum(permitted))),
    blocked: sum(minutes.map(({ blocked }) => sum(blocked))),
  };
}

/**
 * An hour of columns: what is not known of its beginning is empty.
 *
 * @param {WaitHistory} history
 * @returns {{ minutes: readonly WaitMinute[], unknown: number }} `unknown`: so many minutes from the left
 */
export function hourOf({ boundsMs, minutes }) {
  const unknown = Math.max(0, MINUTES - minutes.length);
  const none = Array.from({ length: boundsMs.length + 1 }, () => 0);
  const firstMs = minutes[0]?.startMs ?? 0;
  const before = Array.from({ length: unknown }, (_, index) => ({
    startMs: firstMs - (unknown - index) * MINUTE_MS,
    permitted: none,
    blocked: none,
    p50Ms: undefined,
    p99Ms: undefined,
    reasons: {},
  }));
  return { minutes: [...before, ...minutes], unknown };
}

/**
 * The most frequent reasons of the hour, and what the others come to as `other`.
 *
 * @param {readonly WaitMinute[]} minutes
 * @returns {{ reason: string, total: number }[]}
 */
export function topReasons(minutes) {
  /** @type {Map<string, number>} */
  const totals = new Map();
  for (const { reasons } of minutes)
    for (const [reason, count] of Object.entries(reasons))
      totals.set(reason, (totals.get(reason) ?? 0) + count);
  const ordered = [...totals]
    .map(([reason, total]) => ({ reason, total }))
    // The server's own `other` is one of the others.
    .filter(({ reason }) => reason !== OTHER)
    .toSorted((a, b) => b.total - a.total || (a.reason < b.reason ? -1 : 1));
  // A reason keeps its colour as long as the same ones are shown, whichever is the most frequent.
  const shown = ordered.slice(0, REASONS_SHOWN).toSorted((a, b) => (a.reason < b.reason ? -1 : 1));
  const rest = sum([...totals.values()]) - sum(shown.map(({ total }) => total));
  return rest === 0 ? shown : [...shown, { reason: OTHER, total: rest }];
}

export const OTHER = "other";

/**
 * The bar of one minute: for each of `top`, how many.
 *
 * @param {WaitMinute} minute
 * @param {readonly { reason: string }[]} top
 */
export function stackOf({ reasons }, top) {
  const named = top.filter(({ reason }) => reason !== OTHER).map(({ reason }) => reasons[reason] ?? 0);
  return named.length === top.length ? named : [...named, sum(Object.values(reasons)) - sum(named)];
}

/**
 * A point for each minute that has the value, in runs without gaps.
 *
 * @param {readonly (number | undefined)[]} values
 * @returns {{ index: number, value: number }[][]}
 */
export function runsOf(values) {
  /** @type {{ index: number, value: number }[][]} */
  const runs = [];
  for (const [index, value] of values.entries()) {
    if (value === undefined || value === null) continue;
    if (index > 0 && values[index - 1] !== undefined && runs.length > 0) runs.at(-1)?.push({ index, value });
    else runs.push([{ index, value }]);
  }
  return runs;
}
