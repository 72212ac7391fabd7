/** Above every screen: what stops the pipeline, and whether what is shown is so now. */
/** @import { Freshness } from "./freshness.mjs" */
/** @import { Now } from "../src/api.ts" */
import { ClearDisarm, EndPause, KillOff } from "./action-buttons.mjs";
import { dateTime, duration, timeOfDay } from "./format.mjs";
import { html } from "./html.mjs";
import { Text } from "./shown.mjs";
import { useServerMs } from "./store.mjs";

/** Redis has answered the console at least once. @param {Now} now */
export const isKnown = ({ redis }) => redis.version !== "";

/** @param {Now | undefined} now */
export const isHalted = (now) => now !== undefined && isKnown(now) && (now.killSwitch.on || isDisarmed(now));
/** @param {Now} now */
const isDisarmed = (now) => (now.disarm ?? null) !== null;

/** @param {{ now: Now }} props */
export function Halted({ now }) {
  if (!isHalted(now)) return null;
  return html`<section class="halted" aria-label="Halted">
    <p class="word" role="alert">HALTED</p>
    <div class="whys">
      ${now.killSwitch.on && html`<${KillSwitch} now=${now} />`}
      ${isDisarmed(now) && html`<${Disarmed} now=${now} />`}
    </div>
  </section>`;
}

/** @param {{ now: Now }} props */
function KillSwitch({ now: { killSwitch, killRecord } }) {
  const nowMs = useServerMs(1_000);
  const atMs = killRecord?.atMs ?? undefined;
  return html`<div class="why">
    <p>
      <b>The kill switch is on</b>${atMs !== undefined && sinceText(atMs, nowMs)}
      <span class="reason"><${Text} text=${killSwitch.text} length=${300} /></span>
    </p>
    <${KillOff} />
  </div>`;
}

/**
 * @param {number} atMs
 * @param {number} nowMs
 */
const sinceText = (atMs, nowMs) =>
  ` for ${duration(Math.max(0, nowMs - atMs))}, since ${dateTime(atMs, nowMs)} UTC`;

/** @param {{ now: Now }} props */
function Disarmed({ now: { disarm } }) {
  const nowMs = useServerMs(1_000);
  if (disarm === null) return null;
  const { reason, context, atMs } = disarm;
  const details = Object.entries(context).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return html`<div class="why">
    <p>
      <b>The governor has disarmed the pipeline</b
      >${(atMs ?? undefined) !== undefined && sinceText(Number(atMs), nowMs)}
      <span class="reason"><${Text} text=${[reason, ...details].join(" ")} length=${300} /></span>
    </p>
    <${ClearDisarm} />
  </div>`;
}

/** @param {{ now: Now, heardMs: number | undefined }} props */
export function Pauses({ now, heardMs = 0 }) {
  useServerMs(1_000);
  if (now.pauses.length === 0) return null;
  return html`<section class="notice warn" aria-label="Exchange pause">
    <div>
      ${now.pauses.map(
        ({ scope, leftMs, reason }) =>
          html`<p key=${scope}>
            <b>The exchange accepts no ${scope}</b> for
            ${duration(Math.max(0, leftMs - (performance.now() - heardMs)))}:
            <${Text} text=${reason} length=${200} />
          </p>`,
      )}
    </div>
    <${EndPause} />
  </section>`;
}

/** @param {{ freshness: Freshness, now: Now | undefined }} props */
export function Stale({ freshness: { state, forMs }, now }) {
  if (state === "live" || state === "connecting") return null;
  if (state === "silent")
    return html`<section class="notice stale-notice" aria-label="The console does not answer">
      <p role="alert">
        <b>The console has not answered for ${duration(forMs)}.</b>
        ${now !== undefined && `What you see is what it said last, at ${timeOfDay(now.atMs)} UTC.`} The page
        tries again by itself. The pipeline does not depend on the console.
      </p>
    </section>`;
  const { sinceMs, problem } = now?.away ?? { sinceMs: 0, problem: "" };
  return html`<section class="notice stale-notice" aria-label="Redis does not answer">
    <p role="alert">
      <b>Redis has not answered for ${duration(forMs)}, since ${timeOfDay(sinceMs)} UTC.</b>
      What you see is what it said last. Nothing is sent without Redis.
      <span class="muted"><${Text} text=${problem} length=${200} /></span>
    </p>
  </section>`;
}

/** Partitions that do not answer, while others do. @param {{ now: Now }} props */
export function Partial({ now: { silent } }) {
  if (silent.length === 0) return null;
  return html`<section class="notice stale-notice" aria-label="A part of Redis does not answer">
    <p role="alert">
      <b>A part of Redis does not answer, and nothing of it is shown.</b>
      Nothing of it is sent. What the others do goes on.
      <span class="muted"><${Text} text=${silent.join("; ")} length=${400} /></span>
    </p>
  </section>`;
}
