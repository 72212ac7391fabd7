/** The first screen: is everything well, and if not, what is not. */
/** @import { Now, LastWait } from "../src/api.ts" */
import { isKnown } from "./halted.mjs";
import { html } from "./html.mjs";
import { count, duration, plural, wait } from "./format.mjs";
import { Limits } from "./limits.mjs";
import { Ended, Waiting } from "./now-plans.mjs";
import { isTrouble, Services, Trouble } from "./now-tables.mjs";
import { hrefOf } from "./routes.mjs";
import { Age, Empty, Loading, PlanLink, SearchLink, SymbolLink, Text } from "./shown.mjs";
import { useServerMs, useStore } from "./store.mjs";
import { visible } from "./visible-text.mjs";
import { WaitCharts } from "./wait-charts.mjs";

export function NowScreen() {
  const now = useStore((state) => state.now);
  if (now === undefined)
    return html`<h1 class="sr">Now</h1>
      <${Loading} rows=${8} />`;
  if (!isKnown(now))
    return html`<h1 class="sr">Now</h1>
      <${Empty}>Nothing is known yet: Redis has not answered since the console was started.<//>`;
  return html`<h1 class="sr">Now</h1>
    <${Glance} now=${now} />
    <div class="columns">
      <div class="main-column">
        <${WaitCharts} history=${now.waits} />
        <${Trouble} now=${now} />
        <${Limits} symbols=${now.symbols} />
        <${Services} now=${now} />
      </div>
      <div class="side-column">
        <${Waiting} now=${now} />
        <${Ended} />
      </div>
    </div>`;
}

/** One line that answers "is everything well?". @param {{ now: Now }} props */
function Glance({ now }) {
  const { exit, lastOk, lastBlock, deadLetters, symbols, redis } = now;
  const doubts = symbols.reduce((sum, { inDoubt }) => sum + inDoubt.length, 0);
  const holds = symbols.filter(({ hold }) => hold !== null && hold !== undefined).length;
  return html`<section class="glance" aria-label="At a glance">
    <${Unfulfilled} now=${now} />
    <${Tile}
      region
      label="Operators' exit"
      tone=${exit.armed ? "" : "bad"}
      value=${exit.armed ? "armed" : "NOT armed"}
    >
      <${Text} text=${exit.text.replace(ARMED, "$1$2")} length=${220} />
    <//>
    <section class="verdicts" aria-label="Last verdicts">
      <${Last} label="Last OK" last=${lastOk} />
      <${Last} label="Last BLOCK" last=${lastBlock} />
    </section>
    ${
      isTrouble(symbols)
        ? html`<${Tile} label="Doubts and holds" tone="warn" value=${count(doubts + holds)}>
            ${[doubts > 0 && `${plural(doubts, "order")} in doubt`, holds > 0 && `${plural(holds, "symbol")} held`].filter(Boolean).join(", ")}
          <//>`
        : html`<${Tile} region label="Doubts and holds" value="none">no order in doubt, no symbol held<//>`
    }
    <${Tile}
      label="Dead letters"
      tone=${deadLetters > 0 ? "warn" : ""}
      value=${deadLetters === 0 ? "none" : html`<a href=${hrefOf("dead-letters")}>${count(deadLetters)}</a>`}
    >
      ${deadLetters === 0 ? "no entry was given up" : `${deadLetters === 1 ? "an entry" : "entries"} that a group gave up`}
    <//>
    <${Tile}
      label="Durability"
      tone=${redis.notDurable.length > 0 ? "warn" : ""}
      value=${redis.notDurable.length === 0 ? "on disk" : "at risk"}
    >
      ${
        redis.notDurable.length === 0
          ? html`Redis <bdi>${redis.version}</bdi>: every claim is on disk`
          : html`<span title=${visible(redis.notDurable.join("; "))}
              ><${Text}
                text=${redis.notDurable[0] ?? ""}
                length=${90}
              />${redis.notDurable.length > 1 && ` (and ${redis.notDurable.length - 1} more)`}</span
            >`
      }
    <//>
  </section>`;
}

/** @param {{ label: string, value: unknown, tone?: string, region?: boolean, children: unknown }} props */
function Tile({ label, value, tone = "", region = false, children }) {
  const content = html`<h2>${label}</h2>
    <p class="value">${value}</p>
    <p class="told">${children}</p>`;
  return region
    ? html`<section class=${`tile ${tone}`} aria-label=${label}>${content}</section>`
    : html`<div class=${`tile ${tone}`}>${content}</div>`;
}

/** How `exit.text` begins: the tile says that itself. */
const ARMED = /^(?:NOT )?armed \((.*?)\)(.*)$/s;

/** A close that has just been proposed is no trouble yet. */
const UNDER_WAY_MS = 5_000;
/** From here on the alert CloseUnfulfilled warns. */
const LONG_MS = 60_000;

/** A close is proposed, the position is open, and nothing is executed. @param {{ now: Now }} props */
function Unfulfilled({ now }) {
  const nowMs = useServerMs(1_000);
  const all = now.symbols.flatMap(({ unfulfilled }) => unfulfilled ?? []);
  const closes = all.filter(({ sinceMs }) => nowMs - sinceMs >= UNDER_WAY_MS);
  if (closes.length === 0)
    return html`<${Tile} label="Closes not fulfilled" value="none">
      ${all.length === 0 ? "every proposed close is done, or its position flat" : `${plural(all.length, "close")} under way`}
    <//>`;
  const longest = Math.max(...closes.map(({ sinceMs }) => nowMs - sinceMs));
  return html`<section
    class=${`tile wide ${longest >= LONG_MS ? "bad" : "warn"}`}
    aria-label="Closes not fulfilled"
  >
    <h2>Closes not fulfilled</h2>
    <ul class="closes">
      ${closes.slice(0, 4).map(
        ({ symbol, sinceMs, positionAmt, last }) =>
          html`<li key=${symbol}>
            <span class="value"
              ><${SymbolLink} symbol=${symbol} /> <small>for ${duration(nowMs - sinceMs)}</small></span
            >
            <span class="told"
              >${positionAmt === "" ? "position unknown" : html`position <${Text} text=${positionAmt} length=${40} />`}${
                last !== "" && html`, last plan <${Text} text=${last} length=${80} />`
              }</span
            >
          </li>`,
      )}
    </ul>
    ${closes.length > 4 && html`<p class="told"><a href="#/symbols">${plural(closes.length - 4, "symbol")} more</a></p>`}
  </section>`;
}

/** @param {{ label: string, last: LastWait | undefined }} props */
function Last({ label, last }) {
  if (last === undefined || last === null)
    return html`<${Tile} label=${label} value="none">no such plan in the streams<//>`;
  const { planId, symbol, atMs, waitMs, reason } = last;
  return html`<${Tile} label=${label} value=${html`<${Age} ms=${atMs} />`}>
    <${SymbolLink} symbol=${symbol} /> in ${wait(waitMs)}
    <${SearchLink} screen="plans" field="reason" text=${reason} length=${60} />${" "}
    <${PlanLink} id=${planId} />
  <//>`;
}
