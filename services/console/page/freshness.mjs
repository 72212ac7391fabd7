/** Whether what the page shows is so now. Pure. */
/** @import { Now } from "../src/api.ts" */

/** `now` comes every 5 s at least; two that are missing are no accident. */
export const SILENT_MS = 12_000;

/**
 * @typedef {object} Freshness
 * @property {"connecting" | "live" | "away" | "silent"} state away: Redis does not answer the console; silent: the
 *   console does not answer this page
 * @property {number} forMs how long that has been so; 0 while it is live
 */

/**
 * @param {object} seen
 * @param {Now | undefined} seen.now the last one
 * @param {number | undefined} seen.heardMs when it came, by `localMs`'s clock
 * @param {boolean} seen.connected the event stream is open
 * @param {number} seen.localMs
 * @param {number} seen.serverMs
 * @returns {Freshness}
 */
export function freshnessOf({ now, heardMs, connected, localMs, serverMs }) {
  if (now === undefined || heardMs === undefined) return { state: "connecting", forMs: 0 };
  const silentMs = localMs - heardMs;
  if (silentMs > SILENT_MS || (!connected && silentMs > 2_000)) return { state: "silent", forMs: silentMs };
  if (now.away !== undefined) return { state: "away", forMs: Math.max(0, serverMs - now.away.sinceMs) };
  return { state: "live", forMs: 0 };
}

/**
 * Whether nobody needs to turn the kill switch on. What was so a while ago, or is not known, is no reason to hide the button.
 *
 * @param {Now | undefined} now the last one
 * @param {Freshness} freshness
 */
export function isSurelyHalted(now, { state }) {
  return state === "live" && now?.killSwitch.on === true;
}
