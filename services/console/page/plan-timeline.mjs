/** An attempt drawn to scale: the wait, each issuer's answer, the order, the deadline. */
/** @import { AttemptView, PermitView } from "../src/api.ts" */
/** @import { Lane, Layout, View } from "./timeline-layout.mjs" */
import { useEffect, useRef, useState } from "preact/hooks";
import { wait } from "./format.mjs";
import { html } from "./html.mjs";
import { useServerMs } from "./store.mjs";
import { layoutOf, ticksOf } from "./timeline-layout.mjs";
import { cut, visible } from "./visible-text.mjs";

const LANE = 34;
const BAR = 10;
const TOP = 24;
const BOTTOM = 22;
const LABELS = 92;
const LABELS_NARROW = 74;
const NARROW = 560;
const TICK_PX = 90;
/** Of the small text, about. */
const CHARACTER_PX = 6.2;
const REDRAW_MS = 250;
const NEVER_MS = 86_400_000;

/** @param {{ attempt: AttemptView, permits: readonly PermitView[], ended: boolean }} props */
export function Timeline({ attempt, permits, ended }) {
  const nowMs = useServerMs(ended ? NEVER_MS : REDRAW_MS);
  const [box, width] = useWidth();
  const layout = layoutOf(attempt, permits, { nowMs, ended });
  return html`<div class="timeline" ref=${box}>
    ${width > 0 && layout.views.map((view, index) => html`<${Scale} key=${index} layout=${layout} view=${view} width=${width} />`)}
  </div>`;
}

/** @returns {[box: import("preact").RefObject<HTMLDivElement | null>, width: number]} */
function useWidth() {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (box.current === null) return undefined;
    setWidth(Math.floor(box.current.clientWidth));
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

/** @param {{ layout: Layout, view: View, width: number }} props */
function Scale({ layout, view, width }) {
  const { lanes, deadlineMs, verdictMs } = layout;
  const labels = width < NARROW ? LABELS_NARROW : LABELS;
  const height = TOP + lanes.length * LANE + BOTTOM;
  const bottom = height - BOTTOM;
  const x = (/** @type {number} */ ms) =>
    labels + (Math.min(Math.max(ms, 0), view.toMs) / view.toMs) * (width - labels - 2);
  const says = `Timeline${view.title === "" ? "" : `, ${view.title}`}: ${lanes.map(({ label, says }) => visible(cut(`${label} ${says}`, 120))).join("; ")}${deadlineMs === undefined ? "" : `; deadline at ${Math.round(deadlineMs)} ms`}.`;
  return html`<figure>
    ${view.title !== "" && html`<figcaption>${view.title}</figcaption>`}
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${says}>
      ${ticksOf(view.toMs, (width - labels) / TICK_PX).map(
        (ms) =>
          html`<g key=${ms} class="tick">
            <line x1=${x(ms)} x2=${x(ms)} y1=${TOP} y2=${bottom} />
            <text
              x=${x(ms)}
              y=${height - 7}
              text-anchor=${ms === 0 ? "start" : x(ms) > width - 30 ? "end" : "middle"}
              >${ms === 0 ? "0" : wait(ms)}</text
            >
          </g>`,
      )}
      ${lanes.map((lane, index) => html`<${LaneOf} key=${lane.label} lane=${lane} y=${TOP + index * LANE} x=${x} view=${view} width=${width} />`)}
      ${verdictMs !== undefined && verdictMs <= view.toMs && html`<${Upright} class="verdict" x=${x(verdictMs)} bottom=${bottom} text=${`verdict ${wait(verdictMs)}`} width=${width} />`}
      ${
        deadlineMs !== undefined &&
        deadlineMs <= view.toMs &&
        html`<${Upright}
          class="deadline"
          x=${x(deadlineMs)}
          bottom=${bottom}
          text=${`deadline ${wait(deadlineMs)}`}
          width=${width}
          end=${verdictMs !== undefined && x(deadlineMs) - x(verdictMs) < 220}
        />`
      }
    </svg>
    ${deadlineMs !== undefined && deadlineMs > view.toMs && html`<p class="beyond">deadline ${wait(deadlineMs)}, to the right of this scale</p>`}
  </figure>`;
}

/**
 * @param {string} text
 * @param {number} characters
 */
const short = (text, characters) =>
  text.length <= characters ? text : `${cut(text, Math.floor(characters) - 1)}…`;

/** @param {{ lane: Lane, y: number, x: (ms: number) => number, view: View, width: number }} props */
function LaneOf({ lane, y, x, view, width }) {
  const { label, says, bars, marks } = lane;
  const top = y + LANE - BAR - 5;
  const begin = x(Math.min(...bars.map(({ fromMs }) => fromMs), ...marks.map(({ atMs }) => atMs)));
  // Text that begins in the right part is written towards the left, so that it is not cut.
  const late = begin > width * 0.55;
  const room = late ? width - x(0) : width - begin;
  return html`<g class="lane">
    <text class="name" x="0" y=${top + BAR - 1}>${visible(cut(label, 14))}</text>
    <text class="says" x=${late ? width - 2 : begin} y=${top - 4} text-anchor=${late ? "end" : "start"}
      >${short(visible(cut(says, 200)), room / CHARACTER_PX)}</text
    >
    ${bars.map(
      ({ fromMs, toMs, tone, open }, index) =>
        fromMs <= view.toMs &&
        html`<rect
          key=${index}
          class=${`stretch ${tone} ${open ? "open" : ""}`}
          x=${x(fromMs)}
          y=${top}
          width=${Math.max(2, x(toMs) - x(fromMs))}
          height=${BAR}
          rx="2"
        />`,
    )}
    ${marks.map(
      ({ atMs, tone, text }, index) =>
        atMs <= view.toMs &&
        html`<g key=${index} class=${`mark ${tone}`}>
          <circle cx=${x(atMs)} cy=${top + BAR / 2} r="4.5" />
          <title>${`${Math.round(atMs)} ms  ${visible(cut(text, 300))}`}</title>
        </g>`,
    )}
  </g>`;
}

/** @param {{ class: string, x: number, bottom: number, text: string, width: number, end?: boolean }} props */
function Upright({ class: name, x, bottom, text, width, end = false }) {
  const flip = !end && x > width - 130;
  return html`<g class=${`upright ${name}`}>
    <line x1=${x} x2=${x} y1="14" y2=${bottom} />
    <text
      x=${flip ? x - 4 : x + 4}
      y=${end ? 22 : 12}
      text-anchor=${flip || x > width - 130 ? "end" : "start"}
      >${text}</text
    >
  </g>`;
}
