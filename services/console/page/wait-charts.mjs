/**
 * The last hour: how long plans waited for their permits, and why some were blocked. One minute is one column of all charts.
 * Drawn as SVG, not by a library (ADR 35).
 */
/** @import { WaitHistory, WaitMinute } from "../src/api.ts" */
import { useMemo, useState } from "preact/hooks";
import { count, minuteOfDay, plural, wait } from "./format.mjs";
import { html } from "./html.mjs";
import { Empty, Panel } from "./shown.mjs";
import {
  classLabel,
  hourOf,
  levelOf,
  placeOf,
  runsOf,
  stackOf,
  sum,
  topReasons,
  totalsOf,
  usedClasses,
} from "./wait-chart-data.mjs";
import { cut, visible } from "./visible-text.mjs";

const COLUMN = 10;
const GAP = 1.2;
const ROW = 10;
const STACK_HEIGHT = 100;

/** @param {{ history: WaitHistory }} props */
export function WaitCharts({ history: told }) {
  const { minutes, unknown } = useMemo(() => hourOf(told), [told]);
  const history = { ...told, minutes };
  const [at, setAt] = useState(/** @type {number | undefined} */ (undefined));
  const top = useMemo(() => topReasons(minutes), [minutes]);
  const shared = { history, unknown, at, onAt: setAt };
  const minute = at === undefined ? undefined : minutes[at];
  const readout = html`<${Readout} minute=${minute} minutes=${minutes} />`;
  const { permitted, blocked } = totalsOf(minutes);
  const isEmpty = permitted + blocked + top.length === 0;
  return html`<${Panel} title="Waits of the last hour" class="waits" aside=${readout}>
    ${
      isEmpty
        ? html`<${Empty}>No plan has waited within the last hour.<//>`
        : html`<div class="charts">
            <${Heat} ...${shared} kind="permitted" label="OK" total=${permitted} />
            <${Heat} ...${shared} kind="blocked" label="BLOCK" total=${blocked} />
            <${Reasons} ...${shared} top=${top} />
            <${TimeAxis} minutes=${minutes} />
            ${unknown > 0 && html`<p class="muted small">Nothing is known of the time before ${minuteOfDay(minutes[unknown]?.startMs ?? 0)} UTC.</p>`}
          </div>`
    }
  <//>`;
}

/**
 * What the minute under the pointer says; without one, the newest that says anything.
 *
 * @param {{ minute: WaitMinute | undefined, minutes: readonly WaitMinute[] }} props
 */
function Readout({ minute, minutes }) {
  const shown =
    minute ?? minutes.findLast(({ p50Ms }) => p50Ms !== undefined && p50Ms !== null) ?? minutes.at(-1);
  if (shown === undefined) return null;
  const { startMs, permitted, blocked, p50Ms, p99Ms } = shown;
  return html`<p class="readout" role=${minute === undefined ? undefined : "status"}>
    <span class="muted">${minuteOfDay(startMs)} UTC</span>
    <span>p50 <b>${wait(p50Ms ?? undefined)}</b></span>
    <span>p99 <b>${wait(p99Ms ?? undefined)}</b></span>
    <span><b>${count(sum(permitted))}</b> OK</span>
    <span class=${sum(blocked) > 0 ? "bad-text" : ""}><b>${count(sum(blocked))}</b> BLOCK</span>
  </p>`;
}

/**
 * One column a minute, under the pointer or by the arrow keys.
 *
 * @param {{ count: number, at: number | undefined, onAt: (at: number | undefined) => void, label: string, height: number, children: unknown }} props
 */
function Columns({ count: columns, at, onAt, label, height, children }) {
  /** @param {PointerEvent} event */
  const point = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    onAt(Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns))));
  };
  /** @param {KeyboardEvent} event */
  const step = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") onAt(undefined);
    if (by === undefined) return;
    event.preventDefault();
    onAt(Math.min(columns - 1, Math.max(0, (at ?? columns - (by < 0 ? 0 : 1)) + by)));
  };
  return html`<svg
    viewBox=${`0 0 ${columns * COLUMN} ${height}`}
    preserveAspectRatio="none"
    role="img"
    aria-label=${label}
    tabindex="0"
    onPointerMove=${point}
    onPointerLeave=${() => onAt(undefined)}
    onKeyDown=${step}
    onBlur=${() => onAt(undefined)}
  >
    ${at !== undefined && html`<rect class="cursor" x=${at * COLUMN} y="0" width=${COLUMN} height=${height} />`}
    ${children}
  </svg>`;
}

/**
 * @param {{ history: WaitHistory, unknown: number, kind: "permitted" | "blocked", label: string, total: number, at: number | undefined, onAt: (at: number | undefined) => void }} props
 */
function Heat({ history, unknown, kind, label, total, at, onAt }) {
  const { boundsMs, minutes } = history;
  const { from, to } = usedClasses(history);
  const rows = to - from;
  const most = Math.max(...minutes.flatMap((minute) => minute[kind]));
  const height = rows * ROW;
  const cells = minutes.slice(unknown).flatMap((minute, index) =>
    Array.from({ length: rows }, (_, row) => {
      const column = unknown + index;
      const level = levelOf(minute[kind][from + row] ?? 0, most);
      return html`<rect
        key=${`${column} ${row}`}
        class=${`cell l${level}`}
        x=${column * COLUMN + GAP / 2}
        y=${(rows - 1 - row) * ROW + GAP / 2}
        width=${COLUMN - GAP}
        height=${ROW - GAP}
      />`;
    }),
  );
  /** @param {(minute: WaitMinute) => number | undefined} valueOf */
  const line = (valueOf) =>
    runsOf(minutes.map((minute) => valueOf(minute) ?? undefined))
      .map((run) => {
        const points = run.map(({ index, value }) => {
          const y = height - (Math.min(to, Math.max(from, placeOf(boundsMs, value))) - from) * ROW;
          return { x: (index + 0.5) * COLUMN, y };
        });
        const [first] = points;
        // A minute alone is a line as wide as the minute.
        if (first !== undefined && points.length === 1)
          return `M${first.x - COLUMN / 2} ${first.y}h${COLUMN}`;
        return `M${points.map(({ x, y }) => `${x} ${y.toFixed(1)}`).join("L")}`;
      })
      .join("");
  const says = `${label}: ${plural(total, "plan")} in the last hour, by minute and by wait. Arrow keys read minute by minute.`;
  // The lines are those of all waits, and lie on the first map.
  if (total === 0 && kind === "blocked")
    return html`<div class="heat">
      <h3><span>${label}</span> <b>0</b></h3>
    </div>`;
  return html`<div class=${`heat ${kind}`}>
    <h3><span>${label}</span> <b>${count(total)}</b></h3>
    <div class="plot">
      <${Columns} count=${minutes.length} at=${at} onAt=${onAt} label=${says} height=${height}>
        ${cells}
        ${
          kind === "permitted" &&
          html`<path class="p99" d=${line(({ p99Ms }) => p99Ms)} /><path
              class="p50"
              d=${line(({ p50Ms }) => p50Ms)}
            />`
        }
      <//>
      <ol class="classes" aria-hidden="true">
        ${Array.from({ length: rows }, (_, row) => html`<li key=${row}>${classLabel(boundsMs, to - 1 - row)}</li>`)}
      </ol>
    </div>
    ${
      kind === "permitted" &&
      html`<ul class="legend" aria-hidden="true">
        <li class="p50">p50</li>
        <li class="p99">p99</li>
      </ul>`
    }
  </div>`;
}

/**
 * @param {{ history: WaitHistory, top: readonly { reason: string, total: number }[], at: number | undefined, onAt: (at: number | undefined) => void }} props
 */
function Reasons({ history: { minutes }, top, at, onAt }) {
  const stacks = minutes.map((minute) => stackOf(minute, top));
  const most = Math.max(1, ...stacks.map(sum));
  const bars = stacks.flatMap((stack, column) => {
    let below = 0;
    return stack.map((number, index) => {
      if (number === 0) return null;
      const height = (number / most) * STACK_HEIGHT;
      below += height;
      return html`<rect
        key=${`${column} ${index}`}
        class=${`reason r${index}`}
        x=${column * COLUMN + GAP / 2}
        y=${STACK_HEIGHT - below}
        width=${COLUMN - GAP}
        height=${height}
      />`;
    });
  });
  const minute = at === undefined ? undefined : minutes[at];
  const current = minute === undefined ? undefined : stackOf(minute, top);
  const total = sum(top.map((reason) => reason.total));
  const says = `Reasons that blocked or skipped plans in the last hour, by minute: ${top.map((reason) => `${visible(cut(reason.reason, 60))} ${reason.total}`).join(", ") || "none"}.`;
  if (top.length === 0)
    return html`<section class="reasons" aria-label="Block reasons">
      <h3><span>Block reasons</span> <b>0</b></h3>
      <p class="none">No plan was blocked or skipped.</p>
    </section>`;
  return html`<section class="reasons" aria-label="Block reasons">
    <h3><span>Block reasons</span> <b>${count(total)}</b></h3>
    <div class="plot">
      <${Columns} count=${minutes.length} at=${at} onAt=${onAt} label=${says} height=${STACK_HEIGHT}
        >${bars}<//
      >
      <ol class="classes" aria-hidden="true">
        <li>${count(most)}</li>
        <li>0</li>
      </ol>
    </div>
    <ul class="legend">
      ${top.map(
        ({ reason, total: ofHour }, index) =>
          html`<li key=${reason} class=${`r${index}`}>
            ${
              reason === "other"
                ? "other"
                : html`<a href=${`#/plans?${new URLSearchParams({ reason })}`}
                    ><bdi>${visible(cut(reason, 60))}</bdi></a
                  >`
            }
            <b>${count(current?.[index] ?? ofHour)}</b>
          </li>`,
      )}
    </ul>
  </section>`;
}

/** @param {{ minutes: readonly WaitMinute[] }} props */
function TimeAxis({ minutes }) {
  const STEPS = 4;
  const marks = Array.from(
    { length: STEPS },
    (_, step) => minutes[Math.floor((step * minutes.length) / STEPS)],
  );
  return html`<div class="axis" aria-hidden="true">
    ${marks.map((minute, index) => minute !== undefined && html`<span key=${index}>${minuteOfDay(minute.startMs)}</span>`)}
    <span>now</span>
  </div>`;
}
