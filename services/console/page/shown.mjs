/** The small parts of every screen: texts, ages, links, badges, fields. */
/** @import { ComponentChildren } from "preact" */
/** @import { ApiError } from "./api.mjs" */
import { useState } from "preact/hooks";
import { age, count, dateTime, isoTime } from "./format.mjs";
import { html } from "./html.mjs";
import { hrefOf, hrefWith, isPlanId, isSearchable } from "./routes.mjs";
import { serverMs, useServerMs } from "./store.mjs";
import { cut, piecesOf, visible } from "./visible-text.mjs";

/**
 * Text of strangers: in its own direction, invisible characters visible, cut if it is long.
 *
 * @param {{ text: string, length?: number }} props
 */
export function Text({ text, length }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? text : cut(text, length);
  return html`<bdi class="text"
    >${piecesOf(shown).map((piece) =>
      piece.escaped ? html`<span class="escaped">${piece.text}</span>` : piece.text,
    )}${
      shown.length < text.length &&
      html`<span class="more"
        >… <small>${count(text.length)} characters</small>
        <button type="button" class="link" onClick=${() => setWhole(true)}>Show all</button></span
      >`
    }</bdi
  >`;
}

/** @param {{ text: string, what?: string }} props */
export function Copy({ text, what = "" }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await toClipboard(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  const label = `Copy ${what === "" ? visible(cut(text, 60)) : what}`;
  return html`<button
    type="button"
    class="copy ${copied ? "copied" : ""}"
    title=${label}
    aria-label=${label}
    onClick=${copy}
  >
    <svg viewBox="0 0 16 16" aria-hidden="true">
      ${
        copied
          ? html`<path d="M3 8.5 6.5 12 13 4.5" />`
          : html`<rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path
                d="M10.5 5.5v-2A1 1 0 0 0 9.500 2.500h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2"
              />`
      }
    </svg>
    <span class="sr" role="status">${copied ? "copied" : ""}</span>
  </button>`;
}

/** @param {string} text */
async function toClipboard(text) {
  // There is no clipboard for a page over plain http from another host.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** @param {{ text: string }} props */
export function Command({ text }) {
  return html`<span class="command"
    ><code><${Text} text=${text} /></code><${Copy} text=${text} what="command"
  /></span>`;
}

/** @param {{ ms: number }} props */
export function Time({ ms }) {
  return html`<time dateTime=${isoTime(ms)} title=${`${isoTime(ms)}, here ${new Date(ms).toLocaleString()}`}
    >${dateTime(ms, serverMs())}</time
  >`;
}

/** @param {{ ms: number }} props */
export function Age({ ms }) {
  const nowMs = useServerMs(1_000);
  return html`<time dateTime=${isoTime(ms)} title=${isoTime(ms)}>${age(Math.max(0, nowMs - ms))}</time>`;
}

/** What is no plan's id leads nowhere, as in the two below. @param {{ id: string }} props */
export function PlanLink({ id }) {
  const text = visible(cut(id, 40));
  return isPlanId(id)
    ? html`<a class="mono" href=${hrefOf("plans", id)}>${text}</a>`
    : html`<span class="mono">${text}</span>`;
}

/** @param {{ symbol: string }} props */
export function SymbolLink({ symbol }) {
  const text = html`<bdi>${visible(cut(symbol, 40))}</bdi>`;
  return isSearchable(symbol) ? html`<a href=${hrefOf("symbols", symbol)}>${text}</a>` : text;
}

/**
 * To what has the same text in a field.
 *
 * @param {{ screen: import("./routes.mjs").Screen, field: string, text: string, length?: number }} props
 */
export function SearchLink({ screen, field, text, length = 80 }) {
  const shown = html`<${Text} text=${text} length=${length} />`;
  return isSearchable(text) ? html`<a href=${hrefWith(screen, { [field]: text })}>${shown}</a>` : shown;
}

/** What a state means for an operator, as a colour. @type {Readonly<Record<string, "ok" | "bad" | "warn" | "busy">>} */
const TONES = {
  EXECUTED: "ok",
  BLOCKED: "bad",
  ERROR: "bad",
  REJECTED: "bad",
  NOT_PLACED: "warn",
  UNKNOWN: "warn",
  WAITING: "busy",
  PERMITTED: "busy",
  SENT: "busy",
};

/** @param {string} outcome */
export const toneOf = (outcome) => TONES[outcome] ?? "quiet";

/** @param {{ outcome: string }} props */
export function Outcome({ outcome }) {
  const name = outcome === "UNKNOWN" ? "IN DOUBT" : outcome.replaceAll("_", " ");
  // More, which no outcome of ours has, would not fit a phone.
  return html`<span class="badge ${toneOf(outcome)}">${visible(cut(name, 24))}</span>`;
}

/**
 * Names and values, each of which can be copied.
 *
 * @param {{ fields: Readonly<Record<string, string>>, marked?: ReadonlySet<string> }} props
 */
export function Fields({ fields, marked }) {
  // Redis tells the fields of a hash in no order.
  const names = Object.keys(fields).toSorted();
  if (names.length === 0) return html`<p class="empty">Nothing is stored.</p>`;
  return html`<dl class="fields">
    ${names.map((name) => {
      const value = fields[name] ?? "";
      return html`<div key=${name} class=${marked?.has(name) ? "marked" : ""}>
        <dt><${Text} text=${name} length=${60} /></dt>
        <dd>
          ${
            value === ""
              ? html`<span class="muted">empty</span>`
              : html`<${Text} text=${value} /><${Copy} text=${value} what=${visible(cut(name, 60))} />`
          }
          ${isMs(name, value) && html` <span class="muted">${isoTime(Number(value)).slice(0, -1).replace("T", " ")}</span>`}
        </dd>
      </div>`;
    })}
  </dl>`;
}

/**
 * A time of Redis's clock, for people who do not count in ms since 1970.
 *
 * @param {string} name
 * @param {string} value
 */
const isMs = (name, value) => name.endsWith("_ms") && /^1\d{12}$/.test(value);

/**
 * @param {{ title: string, aside?: ComponentChildren, children?: ComponentChildren, class?: string }} props
 */
export function Panel({ title, aside, children, class: name = "" }) {
  return html`<section class="panel ${name}" aria-label=${title}>
    <header>
      <h2>${title}</h2>
      ${aside !== undefined && html`<div class="aside">${aside}</div>`}
    </header>
    ${children}
  </section>`;
}

/** @param {{ error: ApiError | undefined, onRetry?: () => void }} props */
export function Failed({ error, onRetry }) {
  if (error === undefined) return null;
  return html`<div class="failed" role="alert">
    <p><${Text} text=${error.message} /></p>
    ${onRetry !== undefined && html`<button onClick=${onRetry}>Try again</button>`}
  </div>`;
}

/** @param {{ rows?: number }} props */
export function Loading({ rows = 3 }) {
  return html`<div class="loading" role="status">
    <span class="sr">Loading</span>
    ${Array.from({ length: rows }, (_, index) => html`<i key=${index}></i>`)}
  </div>`;
}

/** @param {{ children: ComponentChildren }} props */
export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** The head of a column of numbers. @param {string} text */
export const number = (text) => html`<span class="number">${text}</span>`;

/**
 * A table that scrolls sideways where it must, and can then be reached by keyboard.
 *
 * @param {{ label: string, head: readonly ComponentChildren[], children: ComponentChildren, class?: string }} props
 */
export function Table({ label, head, children, class: name = "" }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${label}>
    <table class=${name}>
      <thead>
        <tr>
          ${head.map((cell, index) => html`<th key=${index} scope="col">${cell}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${children}
      </tbody>
    </table>
  </div>`;
}
