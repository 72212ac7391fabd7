/** Plans as they go by: those that wait, and those that have just ended. */
/** @import { Now, PlanRow, WaitingPlan } from "../src/api.ts" */
import { useEffect } from "preact/hooks";
import { get } from "./api.mjs";
import { count, left, plural, wait } from "./format.mjs";
import { html } from "./html.mjs";
import { hrefOf, hrefWith } from "./routes.mjs";
import { Empty, Outcome, Panel, PlanLink, SymbolLink, Text, Time } from "./shown.mjs";
import { hearEarlier, stateNow, useServerMs, useStore } from "./store.mjs";

const ROWS = 10;
const ENDED_ROWS = 16;

/** @param {{ now: Now }} props */
export function Waiting({ now }) {
  const { waiting, moreWaiting } = now;
  const total = waiting.length + moreWaiting;
  const aside = html`<b>${count(total)}</b>`;
  if (total === 0)
    return html`<${Panel} title="Waiting plans" class="waiting" aside=${aside}>
      <${Empty}>No plan waits.<//>
    <//>`;
  const shown = waiting.slice(0, ROWS);
  const more = total - shown.length;
  return html`<${Panel} title="Waiting plans" class="waiting" aside=${aside}>
    <ul class="rows">
      ${shown.map((plan) => html`<${WaitingRow} key=${plan.planId} plan=${plan} />`)}
    </ul>
    ${more > 0 && html`<p class="foot"><a href=${hrefWith("plans", { outcome: "WAITING" })}>${plural(more, "plan")} more</a></p>`}
  <//>`;
}

const COUNTDOWN_MS = 100;

/** @param {{ plan: WaitingPlan }} props */
function WaitingRow({ plan }) {
  const { planId, symbol, openedAtMs, deadlineMs, lacks } = plan;
  const nowMs = useServerMs(COUNTDOWN_MS);
  const leftMs = deadlineMs - nowMs;
  const budgetMs = Math.max(1, deadlineMs - openedAtMs);
  const part = Math.min(1, Math.max(0, leftMs / budgetMs));
  return html`<li>
    <span class="line"
      ><${SymbolLink} symbol=${symbol} /><${PlanLink} id=${planId} /><b class="countdown"
        >${left(leftMs)}</b
      ></span
    >
    <span class="line muted">
      ${leftMs <= 0 ? "its deadline has passed" : lacks.length === 0 ? "has every answer" : html`<span>lacks <${Text} text=${lacks.join(", ")} length=${80} /></span>`}
    </span>
    <svg class="left" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
      <rect width=${part * 100} height="2" />
    </svg>
  </li>`;
}

export function Ended() {
  const ended = useStore((state) => state.ended);
  const skipped = useStore((state) => state.skipped);
  useEffect(() => {
    if (stateNow().ended.length >= ENDED_ROWS) return;
    // If it fails, the list begins with what ends next.
    get("plans").then(
      ({ rows }) => hearEarlier(rows.filter((/** @type {PlanRow} */ { outcome }) => outcome !== "WAITING")),
      () => {},
    );
  }, []);
  const aside = html`<a href=${hrefOf("plans")}>all plans</a>`;
  return html`<${Panel} title="As they end" class="ended" aside=${aside}>
    ${
      ended.length === 0
        ? html`<${Empty}>Plans appear here as they end, and orders as they settle.<//>`
        : html`<ul class="rows">
            ${ended.slice(0, ENDED_ROWS).map((row) => html`<${EndedRow} key=${row.planId} row=${row} />`)}
          </ul>`
    }
    ${skipped > 0 && html`<p class="foot muted">${plural(skipped, "more end")} came too fast to be shown here.</p>`}
  <//>`;
}

/** @param {{ row: PlanRow }} props */
function EndedRow({ row }) {
  const { planId, symbol, atMs, outcome, reason, detail, executedQty, waitMs } = row;
  return html`<li>
    <span class="line"
      ><${Outcome} outcome=${outcome} /><${SymbolLink} symbol=${symbol} /><${PlanLink} id=${planId}
    /></span>
    <span class="line muted">
      <${Time} ms=${atMs} />
      <span class="grow">${said(reason, detail, executedQty)}</span>
      ${waitMs !== undefined && waitMs !== null && html`<span>${wait(waitMs)}</span>`}
    </span>
  </li>`;
}

/**
 * @param {string} reason
 * @param {string} detail
 * @param {string} executedQty
 */
function said(reason, detail, executedQty) {
  if (executedQty !== "") return html`closed <${Text} text=${executedQty} length=${40} />`;
  return html`<${Text} text=${[reason, detail].filter(Boolean).join(": ")} length=${70} />`;
}
