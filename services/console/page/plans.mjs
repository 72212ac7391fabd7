/** Plans: search by symbol, outcome, reason, issuer and time, as far back as the streams go. */
/** @import { PlanList, PlanRow } from "../src/api.ts" */
/** @import { Paged } from "./api.mjs" */
import { useState } from "preact/hooks";
import { usePaged } from "./api.mjs";
import { fieldsOf } from "./form-fields.mjs";
import { dateTime, wait } from "./format.mjs";
import { html } from "./html.mjs";
import { hrefWith, SEARCHED_MAX_CHARS } from "./routes.mjs";
import {
  Copy,
  Empty,
  Failed,
  Loading,
  number,
  Outcome,
  PlanLink,
  SearchLink,
  SymbolLink,
  Table,
  Text,
  Time,
} from "./shown.mjs";
import { serverMs, useStore } from "./store.mjs";

const OUTCOMES = [
  ..."EXECUTED BLOCKED REJECTED NOT_PLACED DRY_RUN SKIP ERROR".split(" "),
  ..."WAITING PERMITTED SENT UNKNOWN".split(" "),
];
/** Those of the topology; a name that is typed in another way is searched for, too. */
const ISSUERS = ["governor", "p33", "p26"];
/** @type {readonly [label: string, minutes: number][]} */
const SPANS = [
  ["15 min", 15],
  ["1 h", 60],
  ["6 h", 360],
  ["24 h", 1_440],
];

/** @param {{ query: Readonly<Record<string, string>> }} props */
export function PlansScreen({ query }) {
  const [reload, setReload] = useState(0);
  const searched = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const path = `plans${searched.size === 0 ? "" : `?${searched}`}`;
  /** @type {Paged<PlanList>} */
  const list = usePaged(path, reload);
  const again = () => setReload((count) => count + 1);
  return html`<h1>Plans</h1>
    <${Filter} query=${query} onSame=${again} />
    <${Failed} error=${list.error} onRetry=${again} />
    ${
      list.rows.length > 0
        ? html`<${PlanTable} rows=${list.rows} />`
        : list.loading
          ? html`<${Loading} rows=${8} />`
          : list.error === undefined &&
            html`<${Empty}
              >${searched.size === 0 ? "No plan is in the streams." : "No plan in the searched time fits."}<//
            >`
    }
    <${Foot} list=${list} />`;
}

/** @param {{ rows: readonly PlanRow[] }} props */
export function PlanTable({ rows }) {
  return html`<${Table}
    label="Plans"
    class="plans"
    head=${["UTC", "Plan", "Symbol", "Outcome", "Why", number("Executed"), number("Wait")]}
  >
    ${rows.map(
      ({ planId, symbol, atMs, outcome, reason, detail, executedQty, waitMs, class: kind }) =>
        html`<tr key=${`${planId} ${atMs} ${outcome}`}>
          <td class="mono"><${Time} ms=${atMs} /></td>
          <td class="nowrap"><${PlanLink} id=${planId} /><${Copy} text=${planId} what="plan id" /></td>
          <td><${SymbolLink} symbol=${symbol} /></td>
          <td class="nowrap">
            <${Outcome}
              outcome=${outcome}
            />${kind !== "" && html` <span class="badge quiet">${kind === "drill" ? "DRILL" : "EXIT"}</span>`}
          </td>
          <td class="words">
            <${SearchLink} screen="plans" field="reason" text=${reason} />
            ${detail !== "" && html` <span class="muted"><${Text} text=${detail} length=${120} /></span>`}
          </td>
          <td class="number">
            ${executedQty === "" ? "" : html`<${Text} text=${executedQty} length=${30} />`}
          </td>
          <td class="number">${waitMs === undefined || waitMs === null ? "" : wait(waitMs)}</td>
        </tr>`,
    )}
  <//>`;
}

/** @param {{ list: { last: PlanList | undefined, loading: boolean, rows: readonly PlanRow[], more: () => void } }} props */
function Foot({ list: { last, loading, rows, more } }) {
  if (last === undefined) return null;
  const { next, searchedToMs, oldestMs } = last;
  const back = next === undefined ? oldestMs : searchedToMs;
  return html`<p class="foot">
    ${next !== undefined && html`<button disabled=${loading} onClick=${more}>${loading ? "Searching…" : rows.length === 0 ? "Search further back" : "Older"}</button>`}
    <span class="muted" role="status">
      ${
        back === undefined || back === null
          ? "The streams hold no plan."
          : next === undefined
            ? `Searched all that the streams hold, back to ${dateTime(back, serverMs())} UTC. Older plans are found by their id.`
            : `Searched back to ${dateTime(back, serverMs())} UTC.`
      }
    </span>
  </p>`;
}

/** @param {{ query: Readonly<Record<string, string>>, onSame: () => void }} props */
function Filter({ query, onSame }) {
  const symbols = useStore((state) => state.now?.symbols) ?? [];
  /** @param {SubmitEvent} event */
  const search = (event) => {
    const text = fieldsOf(event);
    const href = hrefWith("plans", {
      symbol: text("symbol").toUpperCase(),
      outcome: text("outcome"),
      reason: text("reason"),
      issuer: text("issuer"),
      fromMs: msOf(text("from")),
      toMs: msOf(text("to")),
    });
    if (href === location.hash) onSame();
    location.hash = href;
  };
  const of = (/** @type {string} */ name) => query[name] ?? "";
  const last = (/** @type {number} */ minutes) =>
    hrefWith("plans", {
      ...query,
      fromMs: String(Math.floor((serverMs() - minutes * 60_000) / 60_000) * 60_000),
      toMs: "",
    });
  return html`<form class="filter" onSubmit=${search} key=${JSON.stringify(query)}>
    <label
      >Symbol
      <input
        name="symbol"
        list="symbols"
        defaultValue=${of("symbol")}
        size="12"
        maxlength=${SEARCHED_MAX_CHARS}
        autocomplete="off"
        spellcheck=${false}
    /></label>
    <datalist id="symbols">
      ${symbols.map(({ symbol }) => html`<option key=${symbol} value=${symbol} />`)}
    </datalist>
    <label
      >Outcome
      <select name="outcome">
        <option value="">any</option>
        ${OUTCOMES.map((outcome) => html`<option key=${outcome} selected=${outcome === of("outcome").toUpperCase()}>${outcome}</option>`)}
      </select>
    </label>
    <label
      >Reason
      <input
        name="reason"
        defaultValue=${of("reason")}
        size="18"
        maxlength=${SEARCHED_MAX_CHARS}
        autocomplete="off"
        spellcheck=${false}
    /></label>
    <label
      >Denied or capped by
      <select name="issuer">
        <option value="">anyone</option>
        ${ISSUERS.map((issuer) => html`<option key=${issuer} selected=${issuer === of("issuer")}>${issuer}</option>`)}
      </select>
    </label>
    <label
      >From, UTC <input name="from" type="datetime-local" defaultValue=${inputTime(of("fromMs"))}
    /></label>
    <label>To, UTC <input name="to" type="datetime-local" defaultValue=${inputTime(of("toMs"))} /></label>
    <div class="buttons">
      <button class="primary">Search</button>
      <a class="button" href="#/plans">Clear</a>
      <span class="spans" aria-label="The last"
        >${SPANS.map(([label, minutes]) => html`<a key=${label} href=${last(minutes)}>${label}</a>`)}</span
      >
    </div>
  </form>`;
}

/** UTC, whatever the computer's own zone. @param {string} text */
function msOf(text) {
  const ms = Date.parse(`${text}Z`);
  return text === "" || Number.isNaN(ms) ? "" : String(ms);
}

/** @param {string} ms */
function inputTime(ms) {
  const number = Number(ms);
  return ms === "" || !(Math.abs(number) <= 8.64e15) ? "" : new Date(number).toISOString().slice(0, 16);
}
