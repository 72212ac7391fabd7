/** A campaign's figures, as JSON for `--summary` and as text. */
import { type Evidence, type Finding, INVARIANTS } from "@quantum/harness";
import { countBy } from "./count-by.ts";
import type { ThrownFault } from "./campaign.ts";
import type { Closable } from "./closable.ts";
import type { Judgement } from "./judge.ts";
import type { Proposed } from "./proposer.ts";
import type { Spared } from "./spared.ts";

export const CHECKS = {
  ...INVARIANTS,
  I8: "streams, pending lists and memory are within their limits",
  I9: "when faults stop, all plans end within seconds, orders in doubt after EXECUTOR_ABSENCE_SEC and seconds",
  progress: "plans that no fault touched are executed",
  closable: "an open position can be closed again within 60 s after a fault ends",
} as const;
export type CheckName = keyof typeof CHECKS;

/** Below this, the pipeline is blocked too often. */
const EXECUTED_SHARE_MIN = 0.9;

export interface Summary {
  seed: number;
  commit: string;
  date: string;
  minutes: number;
  plans: number;
  faults: number;
  faults_by_kind: Record<string, number>;
  orders: number;
  doubled: number;
  lost: number;
  unauthorised: number;
  in_doubt: number;
  /** Attempts that Redis was made to lose before they ended. */
  forgotten: number;
  longest_recovery_ms: number;
  longest_recovery_after: string;
  executed_share: number | null;
  /** Of the plans in other partitions while a master fails over; null if there were none. */
  spared: Spared | null;
  /** How long no close of an open position was executed, not counting faults. */
  unclosable_longest_ms: number;
  unclosable_longest_after: string;
  /** The total of all such times above a second. */
  unclosable_total_ms: number;
  checks: Record<CheckName, boolean>;
  /** Services that exited unexpectedly or failed to start at once, as text. */
  exits: readonly string[];
}

export interface SummaryOptions {
  seed: number;
  commit: string;
  minutes: number;
  evidence: Evidence;
  judgement: Judgement;
  findings: Record<CheckName, Finding>;
  faults: readonly ThrownFault[];
  exits: readonly string[];
  inDoubt: number;
  progress: Progress;
  spared: Spared | undefined;
  closable: Closable;
}

export function summarize(options: SummaryOptions): Summary {
  const { evidence, findings, faults, judgement } = options;
  const longest = faults.reduce<ThrownFault | undefined>(
    (most, fault) => (most === undefined || recoveryOf(fault) > recoveryOf(most) ? fault : most),
    undefined,
  );
  const names = Object.keys(CHECKS) as CheckName[];
  return {
    seed: options.seed,
    commit: options.commit,
    date: new Date().toISOString().slice(0, 10),
    minutes: Number(options.minutes.toFixed(1)),
    plans: new Set(evidence.plans.map(({ planId }) => planId)).size,
    faults: faults.length,
    faults_by_kind: countBy(faults.map(({ kind }) => kind)),
    orders: evidence.orders.filter(({ origin }) => origin === "api").length,
    doubled: findings.I1.violations.length,
    lost: findings.I4.violations.length + findings.I3.violations.length,
    unauthorised: findings.I2.violations.length,
    in_doubt: options.inDoubt,
    forgotten: judgement.forgotten,
    longest_recovery_ms: longest === undefined ? 0 : Math.round(recoveryOf(longest)),
    longest_recovery_after: longest === undefined ? "" : `${longest.kind} (${longest.target})`,
    executed_share: options.progress.share,
    spared: options.spared ?? null,
    unclosable_longest_ms: options.closable.longestMs,
    unclosable_longest_after: options.closable.longestAfter,
    unclosable_total_ms: options.closable.totalMs,
    checks: Object.fromEntries(
      names.map((name) => [name, findings[name].violations.length === 0 && findings[name].checked > 0]),
    ) as Summary["checks"],
    exits: options.exits,
  };
}

const recoveryOf = ({ toMs, recoveredMs }: ThrownFault) => recoveredMs - toMs;

export interface Progress {
  share: number | null;
  finding: Finding;
}

/** The share of executed plans among those that began and ended without a fault nearby. */
export function progressOf(plans: Iterable<Proposed>, faults: readonly ThrownFault[]): Progress {
  let checked = 0;
  let executed = 0;
  const others: string[] = [];
  for (const { atMs, endedAtMs = Number.POSITIVE_INFINITY, burst, outcome, reason } of plans) {
    if (burst || faults.some(({ fromMs, recoveredMs }) => atMs < recoveredMs && endedAtMs > fromMs)) continue;
    checked += 1;
    if (outcome === "EXECUTED") executed += 1;
    else others.push(`${outcome ?? "open"} ${reason ?? ""}`.trim());
  }
  const share = checked === 0 ? null : Number((executed / checked).toFixed(3));
  const enough = share !== null && share >= EXECUTED_SHARE_MIN;
  return {
    share,
    finding: {
      checked,
      violations: enough
        ? []
        : [
            `${executed} of ${checked} plans outside faults were executed, the minimum is ${EXECUTED_SHARE_MIN}; ` +
              `the others: ${JSON.stringify(countBy(others))}`,
          ],
    },
  };
}

export function isSound(summary: Summary): boolean {
  return Object.values(summary.checks).every(Boolean);
}

/** The last line is the conclusion. */
export function renderSummary(summary: Summary, findings: Record<CheckName, Finding>): string[] {
  const names = Object.keys(CHECKS) as CheckName[];
  return [
    `Campaign of seed ${summary.seed} at commit ${summary.commit}, ${summary.minutes} minutes:`,
    ...Object.entries(summary.faults_by_kind)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, count]) => `  fault ${kind} ${count}`),
    ...summary.exits.map((exit) => `  exit ${exit}`),
    `  longest recovery ${summary.longest_recovery_ms} ms, after ${summary.longest_recovery_after}`,
    `  positions could not be closed for ${seconds(summary.unclosable_longest_ms)} s at the longest, after ` +
      `${summary.unclosable_longest_after}; for ${seconds(summary.unclosable_total_ms)} s together`,
    `  executed outside of faults: ${summary.executed_share ?? "none"}; forgotten with Redis: ${summary.forgotten}`,
    ...(summary.spared === null ? [] : [sparedLine(summary.spared)]),
    ...names.flatMap((name) => [
      `  ${name} ${summary.checks[name] ? "holds" : "BROKEN"} (${findings[name].checked} checked): ${CHECKS[name]}`,
      ...findings[name].violations.slice(0, SHOWN_VIOLATIONS).map((violation) => `     ${violation}`),
    ]),
    `${summary.plans} plans, ${summary.faults} faults, ${summary.orders} orders, ${summary.doubled} doubled, ` +
      `${summary.lost} lost, ${summary.unauthorised} unauthorised, ${summary.in_doubt} in doubt`,
  ];
}

function sparedLine({ executed, plans, others }: Spared): string {
  const share = ((executed / plans) * 100).toFixed(1);
  return `  in the other partitions, while a master without the wire's keys failed over: ${executed} of ${plans} plans executed (${share} %)${executed === plans ? "" : `, the others: ${JSON.stringify(others)}`}`;
}

const seconds = (ms: number) => (ms / 1000).toFixed(1);

/** The others are similar. */
const SHOWN_VIOLATIONS = 10;
