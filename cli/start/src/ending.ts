/** The end of a run: everything comes to rest and is checked, or the run is summed up without the lost parts. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Display } from "./display.ts";
import {
  checkInvariants,
  collectEvidence,
  collectWhatIsLeft,
  drain,
  type Evidence,
  type Findings,
  type History,
  type PipelineRedis,
  type Sources,
  switchStrategy,
  type StreamTail,
  STUCK_MS,
  UNCHECKED,
  waitForEnd,
} from "@quantum/harness";
import { operateKillSwitch } from "./kill-switch.ts";
import type { Options } from "./options.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Processes } from "./processes.ts";
import { issuersOf } from "./profile.ts";
import {
  isSound,
  renderSummary,
  renderUnchecked,
  type RunFrame,
  summarize,
  type Summary,
} from "./summary.ts";
import { haltStrategy } from "./strategy.ts";
import { stuckTimelines } from "./timeline.ts";

// Exit codes.
const SOUND = 0;
export const BROKEN = 1;
const STUCK = 2;

/** After Ctrl-C somebody is waiting at the terminal. A plan's whole wait is shorter than this. */
const INTERRUPTED_DRAIN_MS = 5_000;
/** Services have nobody left to talk to. */
const UNCHECKED_STOP_MS = 1_500;
/** Interval of checks while ledgers wait for a refresh to include the last fills. */
const LEDGER_LOOK_MS = 200;

export interface Ending {
  code: number;
  /** Shown when all processes have ended. */
  lines: string[];
}

/** What the run has lost. */
export interface Losses {
  /** Losses without which it cannot continue; resolves with a description. */
  readonly fatal: PromiseWithResolvers<string>;
  /** Services that stay down. */
  readonly services: string[];
}

export interface Run {
  readonly options: Options;
  readonly display: Display;
  readonly stopping: AbortController;
  readonly losses: Losses;
  readonly processes: Processes;
  readonly pipeline: Pipeline;
  readonly stored: PipelineRedis;
  /** How many proposals the feed has published, once it is done. */
  readonly feed: { published: number | undefined };
  readonly history: History;
  readonly tail: StreamTail;
}

/** Waits until the run is over and has come to rest, or is stuck. Then checks the invariants. */
export async function watchToTheEnd(run: Run): Promise<Ending> {
  const { options, display, stopping, losses, processes, pipeline, stored, history, tail, feed } = run;
  const killSwitch = pipeline.scenario.killSwitch
    ? operateKillSwitch(stored, history, pipeline.plans, (text) => display.line(text))
    : undefined;
  const strategy = haltStrategy(stored.partitions, pipeline.exchangeUrl);

  const end = await waitForEnd({
    history,
    isDone: () =>
      feed.published !== undefined && history.proposals >= feed.published && history.open.size === 0,
    onLook: () => showProgress(display, history, pipeline.plans),
    stuckMs: pipeline.plans === undefined ? Number.POSITIVE_INFINITY : STUCK_MS,
    signal: stopping.signal,
  });
  display.progress("");

  await processes.stop("harvest-feed");
  await killSwitch?.stop();
  await strategy.stop();
  await switchStrategy(pipeline.exchangeUrl, false);
  const deadlineMs = end === "done" ? STUCK_MS : INTERRUPTED_DRAIN_MS;
  const underWay = await drain({ redis: stored, history, tail, deadlineMs });
  const stuck = end === "stuck" || (end === "done" && underWay.length > 0);
  const { evidence, findings } = await check(
    { redis: stored, ...sourcesOf(run), halts: killSwitch?.halts ?? [] },
    deadlineMs,
  );
  const cutShort =
    losses.services.length > 0
      ? `without ${losses.services.join(", ")}`
      : end === "interrupted" && underWay.length > 0
        ? "interrupted"
        : undefined;
  const summary = summarize(evidence, findings, frameOf(run, cutShort));
  await writeSummary(options, summary);
  return {
    code: stuck ? STUCK : isSound(summary) && losses.services.length === 0 ? SOUND : BROKEN,
    lines: [
      ...(stuck ? await describeStuck(run, underWay) : underWay.map((what) => `still in progress: ${what}`)),
      ...renderSummary(summary, evidence, findings),
    ],
  };
}

/** Without Redis or the exchange there is nothing to wait for. Sums up the streams' contents. */
export async function endUnchecked(run: Run, why: string): Promise<Ending> {
  const evidence = await collectWhatIsLeft({ ...sourcesOf(run), halts: [] });
  await run.processes.stopAll(UNCHECKED_STOP_MS);
  const summary = summarize(evidence, UNCHECKED, { ...frameOf(run, why), ordersExpected: true });
  await writeSummary(run.options, summary);
  return { code: BROKEN, lines: renderUnchecked(summary) };
}

function sourcesOf({ pipeline, history }: Run) {
  const { exchangeUrl, scenario, keysFolder } = pipeline;
  return { exchangeUrl, history, keysFolder, requiredIssuers: issuersOf(scenario) };
}

function frameOf({ options, pipeline, history, processes }: Run, cutShort: string | undefined): RunFrame {
  return {
    scenario: options.scenario,
    seed: options.seed,
    ordersExpected: pipeline.scenario.ordersExpected && pipeline.plans !== undefined,
    proposals: history.proposals,
    cutShort,
    restarts: Object.fromEntries([...processes.restarts].filter(([, count]) => count > 0)),
    expectedPlanIds: pipeline.replay?.map(({ expectedPlanId }) => expectedPlanId),
  };
}

async function writeSummary(options: Options, summary: Summary): Promise<void> {
  if (options.summary === undefined) return;
  await writeFile(resolve(options.summary), `${JSON.stringify(summary, null, 2)}\n`);
}

/** Gives the ledgers time to include their fills with the next refresh; nothing else changes any more. */
async function check(
  sources: Sources,
  deadlineMs: number,
): Promise<{ evidence: Evidence; findings: Findings }> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const evidence = await collectEvidence(sources);
    const findings = checkInvariants(evidence);
    if (findings.I7.violations.length === 0 || performance.now() > deadline) return { evidence, findings };
    await delay(LEDGER_LOOK_MS);
  }
}

async function describeStuck({ stored, history }: Run, underWay: readonly string[]): Promise<string[]> {
  return [
    `Stuck: no plan has ended for ${STUCK_MS / 1000} s.`,
    ...underWay.map((what) => `  ${what}`),
    ...(history.open.size === 0
      ? ["  every plan that was proposed has ended"]
      : await stuckTimelines(stored.partitions, history.open)),
  ];
}

function showProgress(display: Display, history: History, plans: number | undefined): void {
  if (plans === undefined) return;
  const { ended, executes, open } = history;
  display.progress(
    `${ended.size} of ${plans} plans ended, ${executes.length} permitted, ${open.size} under way`,
  );
}
