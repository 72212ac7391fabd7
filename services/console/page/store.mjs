/** What every part of the page looks at, and the hooks that draw a part again when it changes. */
/** @import { ActionName, Me, Now, PlanRow } from "../src/api.ts" */
import { useEffect, useState } from "preact/hooks";
import { freshnessOf } from "./freshness.mjs";
import { withNews } from "./ended-plans.mjs";
import { ServerClock } from "./server-clock.mjs";

/** Of the live list of ends: more than a screen of them. */
const ENDED_KEPT = 200;

/**
 * @typedef {object} Asked An action that waits for its reason.
 * @property {ActionName} name
 * @property {string} title
 * @property {string} [button] what its button says; the title, if that is short
 * @property {object} body
 * @property {boolean} [danger]
 * @property {() => void} [onDone]
 */
/**
 * @typedef {object} Notice
 * @property {"done" | "failed"} kind
 * @property {string} text
 */
/**
 * @typedef {object} State
 * @property {Me | undefined} me
 * @property {Now | undefined} now
 * @property {number | undefined} heardMs
 * @property {boolean} connected
 * @property {readonly PlanRow[]} ended newest first
 * @property {number} skipped ends that the server did not send, since the page was opened
 * @property {Asked | undefined} asked
 * @property {readonly Notice[]} notices
 * @property {boolean} help
 */

/** @type {State} */
let state = {
  me: undefined,
  now: undefined,
  heardMs: undefined,
  connected: false,
  ended: [],
  skipped: 0,
  asked: undefined,
  notices: [],
  help: false,
};
/** @type {Set<() => void>} */
const listeners = new Set();
const clock = new ServerClock();

export const stateNow = () => state;

/** @param {Partial<State>} change */
export function update(change) {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

/**
 * @template T
 * @param {(state: State) => T} select
 * @returns {T} the part of the state that was selected; its change draws the component again
 */
export function useStore(select) {
  const [, draw] = useState({});
  useEffect(() => {
    let seen = select(state);
    const listener = () => {
      const current = select(state);
      if (Object.is(current, seen)) return;
      seen = current;
      draw({});
    };
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
    // A component selects the same part all its life.
  }, []);
  return select(state);
}

/** @param {Now} now */
export function hearNow(now) {
  const localMs = performance.now();
  // Redis away: the event repeats an old time.
  if (now.away === undefined) clock.heard(now.atMs, localMs);
  update({ now, heardMs: localMs });
}

/** @param {{ rows: PlanRow[], skipped: number }} ended */
export function hearEnded({ rows, skipped }) {
  update({ ended: withNews(state.ended, rows).slice(0, ENDED_KEPT), skipped: state.skipped + skipped });
}

/**
 * What ended before the page was opened.
 *
 * @param {readonly PlanRow[]} rows newest first
 */
export function hearEarlier(rows) {
  update({ ended: withNews(rows, state.ended).slice(0, ENDED_KEPT) });
}

/** Redis's time; before the first event, this computer's. */
export const serverMs = () => clock.nowMs(performance.now()) ?? Date.now();

/**
 * Draws the component again every `everyMs`.
 *
 * @param {number} everyMs
 */
export function useServerMs(everyMs) {
  const [nowMs, set] = useState(serverMs);
  useEffect(() => {
    const timer = setInterval(() => set(serverMs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}

export function useFreshness() {
  const nowMs = useServerMs(1_000);
  const now = useStore((state) => state.now);
  const heardMs = useStore((state) => state.heardMs);
  const connected = useStore((state) => state.connected);
  return freshnessOf({ now, heardMs, connected, localMs: performance.now(), serverMs: nowMs });
}

/** @param {Asked} asked */
export const ask = (asked) => update({ asked });

/** @param {Notice} notice */
export const tell = (notice) => update({ notices: [...state.notices, notice].slice(-4) });

/** @param {Notice} notice */
export const dismiss = (notice) => update({ notices: state.notices.filter((other) => other !== notice) });
