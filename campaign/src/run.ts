/** Runs one campaign from start to finish: start, load, faults, rest, checks. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { build } from "@quantum/service-kit";
import {
  collectEvidence,
  drain,
  type Evidence,
  type Finding,
  switchStrategy,
  StreamTail,
} from "@quantum/harness";
import { serviceOf } from "@quantum/topology";
import { untilAnswered } from "./answered.ts";
import { type ThrownFault, throwFaults } from "./campaign.ts";
import { closableOf } from "./closable.ts";
import { RandomChoices } from "./random-choices.ts";
import type { FaultContext } from "./fault-kind.ts";
import { type Judgement, judge } from "./judge.ts";
import { Losses } from "./losses.ts";
import type { Options } from "./options.ts";
import { Proposer } from "./proposer.ts";
import { Recorder } from "./record.ts";
import { checkResourceBounds } from "./resource-bounds.ts";
import { recordRun } from "./table.ts";
import { sparedOf } from "./spared.ts";
import { type CheckName, isSound, progressOf, renderSummary, summarize, type Summary } from "./summary.ts";
import { failureReport } from "./failure-report.ts";
import { startSystem } from "./system.ts";

const ROOT = join(import.meta.dirname, "../..");
/**
 * I9: the sum of reclaiming a dead replica's entries, a send window and EXECUTOR_ABSENCE_SEC (3 s here), each a few
 * seconds.
 */
const END_BOUND_MS = 30_000;
/** The ledger includes a fill after the next refresh. */
const LEDGER_BOUND_MS = 15_000;
const LEDGER_LOOK_MS = 200;
const MS_PER_MINUTE = 60_000;
/** Longer than a send window plus the absence: the output then says what the recovery waited for. */
const LONG_RECOVERY_MS = 10_000;
/** Makes the load's random choices differ from the schedule's. */
const LOAD_SALT = 0x10ad;

export interface CampaignResult {
  sound: boolean;
  summary: Summary;
  /** For the terminal. */
  lines: string[];
}

/** After `ended` is aborted, no further fault is injected and the run so far is checked. */
export async function runCampaign(
  options: Options,
  say: (line: string) => void,
  ended: AbortSignal = new AbortController().signal,
): Promise<CampaignResult> {
  await using resources = new AsyncDisposableStack();
  const cache = join(ROOT, ".cache/chaos");
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, "run-"));
  resources.defer(() => rm(dir, { recursive: true, force: true }));

  const startedAtMs = performance.now();
  const since = () => `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`.padStart(8);
  const exits: string[] = [];
  const onExit = (what: string) => {
    exits.push(what);
    say(`${since()}  ${what}`);
  };
  const system = await startSystem(
    { seed: options.seed, issuers: options.issuers, redis: options.redis, dir, onExit },
    resources,
  );
  const { servers, stored, exchangeUrl, symbols } = system;
  if (options.faults.includes("time") && !servers.canShiftClock)
    say("only the services' clocks are stepped: stepping Redis's needs Linux and gcc");
  const history = new Recorder();
  const tail = new StreamTail(stored, history);
  resources.defer(() => tail.stop());
  const proposer = new Proposer({
    stored,
    random: new RandomChoices(options.seed ^ LOAD_SALT),
    history,
    symbols,
    ratePerSec: options.rate,
    writesSigma: options.issuers.includes(serviceOf("portfolio-gate").issuer.name),
  });
  proposer.start();
  resources.defer(() => proposer.stop());
  const random = new RandomChoices(options.seed);
  const losses = new Losses();
  const context: FaultContext = { system, random, history, tail, proposer, losses, halts: [] };

  const faults: ThrownFault[] = [];
  const stuck = await throwFaults({
    context,
    random,
    kinds: options.faults,
    untilMs: startedAtMs + (options.minutes ?? Number.POSITIVE_INFINITY) * MS_PER_MINUTE,
    isDone: () => ended.aborted || (options.plans !== undefined && history.ended.size >= options.plans),
    onFault: (thrown) => {
      faults.push(...thrown);
      say(`${since()}  ${describe(thrown)}, ${history.ended.size} plans ended`);
    },
  });
  if (stuck !== undefined) say(stuck);

  await proposer.stop();
  await switchStrategy(exchangeUrl, false);
  const underWay = await drain({ redis: stored, history, tail, deadlineMs: END_BOUND_MS });
  const sources = {
    redis: stored,
    exchangeUrl,
    history,
    requiredIssuers: options.issuers,
    keysFolder: system.keysFolder,
    halts: context.halts,
  };
  const { evidence, judgement } = await judgeAtRest(async () => {
    const evidence = await untilAnswered(() => collectEvidence(sources));
    return { evidence, judgement: judge(evidence, history, losses) };
  });
  const rest = await untilAnswered(() => checkResourceBounds(system, evidence.plans.length));
  const progress = progressOf(proposer.plans.values(), faults);
  const closable = closableOf(proposer.plans.values(), faults);
  const findings: Record<CheckName, Finding> = {
    ...judgement.findings,
    I8: rest,
    I9: { checked: 1, violations: [...(stuck === undefined ? [] : [stuck]), ...underWay] },
    progress: progress.finding,
    closable: closable.finding,
  };
  const summary = summarize({
    seed: options.seed,
    commit: build().commit,
    minutes: (performance.now() - startedAtMs) / MS_PER_MINUTE,
    evidence,
    judgement,
    findings,
    faults,
    exits,
    inDoubt: await untilAnswered(() => countUnsettled(system)),
    progress,
    spared: sparedOf(proposer.plans.values(), faults, (symbol) => stored.partitions.of(symbol).number),
    closable,
  });
  if (options.summary !== undefined)
    await writeFile(resolve(options.summary), `${JSON.stringify(summary, null, 2)}\n`);
  const sound = isSound(summary);
  if (options.record) await recordRun(summary);
  return {
    sound,
    summary,
    lines: [
      ...renderSummary(summary, findings),
      ...(sound ? [] : await failureReport({ findings, evidence, history, stored, faults })),
    ],
  };
}

/** Gives the ledgers time to include their fills with the next refresh; nothing else changes any more. */
async function judgeAtRest(
  look: () => Promise<{ evidence: Evidence; judgement: Judgement }>,
): Promise<{ evidence: Evidence; judgement: Judgement }> {
  const deadline = performance.now() + LEDGER_BOUND_MS;
  for (;;) {
    const judged = await look();
    if (judged.judgement.findings.I7.violations.length === 0 || performance.now() > deadline) return judged;
    await delay(LEDGER_LOOK_MS);
  }
}

async function countUnsettled({ stored, symbols }: FaultContext["system"]): Promise<number> {
  const counts = await Promise.all(
    symbols.map((symbol) => {
      const { keys, redis } = stored.partitions.of(symbol);
      return redis.zcard(keys.unsettled(symbol));
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function describe(thrown: readonly ThrownFault[]): string {
  const [first] = thrown;
  if (first === undefined) return "no fault met its target";
  const what = thrown.map(({ kind, target }) => `${kind} (${target})`).join(", ");
  const tookMs = first.recoveredMs - first.toMs;
  const why = tookMs > LONG_RECOVERY_MS ? ` (waited last for: ${first.waitedFor})` : "";
  return `${what}: recovered in ${Math.round(tookMs)} ms${why}`;
}
