/** Where the stages of an attempt lie on a scale of time. Pure. */
/** @import { AttemptView, PermitView } from "../src/api.ts" */

import { wait } from "./format.mjs";

/** @typedef {"ok" | "bad" | "warn" | "busy" | "quiet"} Tone */
/** @typedef {{ fromMs: number, toMs: number, tone: Tone, open?: boolean }} Bar `open`: it has not ended yet. */
/** @typedef {{ atMs: number, tone: Tone, text: string }} Mark */
/** @typedef {{ label: string, says: string, bars: Bar[], marks: Mark[] }} Lane */
/** @typedef {{ title: string, toMs: number }} View */

/**
 * @typedef {object} Layout Times are ms since the opening.
 * @property {Lane[]} lanes
 * @property {number | undefined} deadlineMs
 * @property {number | undefined} verdictMs
 * @property {readonly View[]} views Scales that start at the opening: one, or the wait enlarged and the whole.
 */

/** Stages that are no issuer's answer. */
const KNOWN = new Set(["open", "verdict", "claim", "sent", "answered", "doubt", "operator", "result"]);
/** If the whole lasts so much longer than the wait, the wait gets a scale of its own. */
const ENLARGE_FROM = 6;
/** Up to so many times what else is drawn, the deadline is drawn. */
const DEADLINE_WITHIN = 4;
/** To the right of the last stage, so that its mark is not cut. */
const MARGIN = 1.06;

/**
 * @param {AttemptView} attempt
 * @param {readonly PermitView[]} permits of this attempt; empty for earlier ones
 * @param {{ nowMs: number, ended: boolean }} at
 * @returns {Layout}
 */
export function layoutOf(attempt, permits, { nowMs, ended }) {
  const { openedAtMs, stages } = attempt;
  const deadlineMs =
    attempt.deadlineMs === undefined || attempt.deadlineMs === null
      ? undefined
      : attempt.deadlineMs - openedAtMs;
  const at = (/** @type {string} */ stage) =>
    stages.find((candidate) => candidate.stage === stage)?.sinceOpenMs;
  const last = Math.max(0, ...stages.map(({ sinceOpenMs }) => sinceOpenMs));
  const endMs = ended ? last : Math.max(last, nowMs - openedAtMs);
  const verdictMs = at("verdict");
  const waitedMs = verdictMs ?? (at("claim") === undefined ? at("result") : undefined);
  const waitEndMs = waitedMs ?? Math.min(endMs, deadlineMs ?? endMs);

  const issuers = [
    ...new Set([
      ...permits.map(({ issuer }) => issuer),
      ...stages.map(({ stage }) => stage).filter((stage) => !KNOWN.has(stage)),
    ]),
  ];
  /** @type {Lane[]} */
  const lanes = issuers.map((issuer) =>
    issuerLane(issuer, {
      stage: stages.find(({ stage }) => stage === issuer),
      permit: permits.find((permit) => permit.issuer === issuer),
      waitEndMs,
      ended: ended || waitedMs !== undefined,
    }),
  );
  const hasWait = issuers.length > 0 || verdictMs !== undefined;
  if (hasWait)
    lanes.unshift(waitLane(stages, { verdictMs, waitEndMs, waiting: waitedMs === undefined && !ended }));
  const order = orderLane(stages, { at, endMs, ended });
  if (order !== undefined) lanes.push(order);
  if (lanes.length === 0) lanes.push(pointsLane("plan", stages));

  const waits = waitedMs === undefined && !ended;
  // A deadline that is far to the right would press everything else to the left.
  const reach = (/** @type {number} */ toMs) =>
    Math.max(
      toMs,
      deadlineMs !== undefined && (waits || deadlineMs <= toMs * DEADLINE_WITHIN) ? deadlineMs : 0,
      1,
    );
  const wholeMs = reach(endMs);
  const partMs = reach(waitEndMs);
  const views =
    hasWait && wholeMs > partMs * ENLARGE_FROM
      ? [
          { title: "the wait for permits, enlarged", toMs: partMs * MARGIN },
          { title: "the whole", toMs: wholeMs * MARGIN },
        ]
      : [{ title: "", toMs: wholeMs * MARGIN }];
  return { lanes, deadlineMs, verdictMs, views };
}

/**
 * @param {AttemptView["stages"]} stages
 * @param {{ verdictMs: number | undefined, waitEndMs: number, waiting: boolean }} wait
 * @returns {Lane}
 */
function waitLane(stages, { verdictMs, waitEndMs, waiting }) {
  const opened = stages.find(({ stage }) => stage === "open");
  const end = stages.find(({ stage }) => stage === (verdictMs === undefined ? "result" : "verdict"));
  const tone = waiting ? "busy" : verdictMs === undefined ? "bad" : "ok";
  return {
    label: "wait",
    says: waiting
      ? "waiting"
      : `${verdictMs === undefined ? "blocked" : "permitted"} after ${wait(waitEndMs)}`,
    bars: [{ fromMs: 0, toMs: waitEndMs, tone, ...(waiting && { open: true }) }],
    marks: [
      ...(opened === undefined
        ? []
        : [{ atMs: 0, tone: /** @type {Tone} */ ("quiet"), text: `open: ${opened.text}` }]),
      ...(waiting || end === undefined
        ? []
        : [{ atMs: waitEndMs, tone: /** @type {Tone} */ (tone), text: `${end.stage}: ${end.text}` }]),
    ],
  };
}

/**
 * @param {string} issuer
 * @param {{ stage: AttemptView["stages"][number] | undefined, permit: PermitView | undefined, waitEndMs: number, ended: boolean }} told
 * @returns {Lane}
 */
function issuerLane(issuer, { stage, permit, waitEndMs, ended }) {
  const waitMs = permit?.waitMs ?? stage?.sinceOpenMs;
  if (waitMs === undefined || waitMs === null)
    return {
      label: issuer,
      says: ended ? "did not answer" : "has not answered yet",
      bars: [{ fromMs: 0, toMs: waitEndMs, tone: ended ? "bad" : "busy", open: true }],
      marks: [],
    };
  const text =
    permit === undefined
      ? (stage?.text ?? "")
      : `${permit.verdict}${permit.reason === "" ? "" : `: ${permit.reason}`}`;
  const tone = text.startsWith("denied") ? "bad" : "ok";
  return {
    label: issuer,
    says: `${cutText(text)}, after ${wait(waitMs)}`,
    bars: [{ fromMs: 0, toMs: waitMs, tone }],
    marks: [{ atMs: waitMs, tone, text }],
  };
}

/**
 * From the claim to the result: what was in doubt is a bar of its own.
 *
 * @param {AttemptView["stages"]} stages
 * @param {{ at: (stage: string) => number | undefined, endMs: number, ended: boolean }} told
 * @returns {Lane | undefined}
 */
function orderLane(stages, { at, endMs, ended }) {
  const claimedMs = at("claim");
  const doubtMs = at("doubt");
  const fromMs = claimedMs ?? doubtMs ?? at("verdict");
  if (fromMs === undefined) return undefined;
  const own = stages.filter(
    ({ stage, sinceOpenMs }) =>
      sinceOpenMs >= fromMs && stage !== "verdict" && KNOWN.has(stage) && stage !== "open",
  );
  if (own.length === 0 && ended) return undefined;
  const result = own.findLast(({ stage }) => stage === "result");
  const toMs = ended && result !== undefined ? result.sinceOpenMs : endMs;
  const executed = /^EXECUTED\b/.test(result?.text ?? "");
  const tone = result === undefined ? "busy" : executed ? "ok" : "warn";
  const open = result === undefined && !ended;
  /** @type {Bar[]} */
  const bars =
    doubtMs === undefined
      ? [{ fromMs, toMs, tone, ...(open && { open }) }]
      : [
          { fromMs, toMs: doubtMs, tone: "busy" },
          { fromMs: doubtMs, toMs, tone: "warn", ...(open && { open }) },
        ];
  return {
    label: claimedMs === undefined ? "handover" : "order",
    says: `${result === undefined ? (doubtMs === undefined ? "in progress" : "in doubt") : cutText(result.text)}, ${wait(toMs - fromMs)}`,
    bars,
    marks: own.map(({ stage, sinceOpenMs, text }) => ({
      atMs: sinceOpenMs,
      tone: stage === "doubt" ? "warn" : stage === "result" ? tone : "busy",
      text: `${stage}: ${text}`,
    })),
  };
}

/**
 * @param {string} label
 * @param {AttemptView["stages"]} stages
 * @returns {Lane}
 */
function pointsLane(label, stages) {
  return {
    label,
    says: cutText(stages.at(-1)?.text ?? ""),
    bars: [],
    marks: stages.map(({ stage, sinceOpenMs, text }) => ({
      atMs: sinceOpenMs,
      tone: "quiet",
      text: `${stage}: ${text}`,
    })),
  };
}

/** @param {string} text */
const cutText = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/**
 * Round numbers from 0 to `toMs`, about `wanted` of them.
 *
 * @param {number} toMs
 * @param {number} wanted
 */
export function ticksOf(toMs, wanted) {
  const rough = toMs / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-6)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  return Array.from({ length: Math.floor(toMs / step) + 1 }, (_, index) => index * step);
}
