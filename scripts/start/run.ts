/** One run from the first process to the last: start, watch, let everything drain, check, stop. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { Display } from "./display.ts";
import { drain, STUCK_MS, waitForEnd } from "./drain.ts";
import { collectEvidence, type Evidence, type Sources, stopStrategy } from "./evidence.ts";
import { History } from "./history.ts";
import { checkInvariants, type Findings } from "./invariants.ts";
import { operateKillSwitch } from "./kill-switch.ts";
import type { Options } from "./options.ts";
import { type Pipeline, startPipeline } from "./pipeline.ts";
import { Processes } from "./processes.ts";
import { withoutPassword } from "./redis.ts";
import { cacheDir, claimRun, type RunFacts } from "./run-file.ts";
import { SERVICES } from "./services.ts";
import { StreamTail } from "./stream-tail.ts";
import { isSound, renderSummary, summarize } from "./summary.ts";
import { stuckTimelines } from "./timeline.ts";

// Exit codes.
const SOUND = 0;
const BROKEN = 1;
const STUCK = 2;

/** After a Ctrl-C somebody waits at the terminal; a plan's whole wait is shorter than this. */
const INTERRUPTED_DRAIN_MS = 5_000;
/** Between looks at ledgers that a refresh has yet to bring up to the last fills. */
const LEDGER_LOOK_MS = 200;
const REQUIRED_ISSUERS = ["governor", "p33"];
const keys = createKeys();

interface Ending {
  code: number;
  /** Shown when nothing runs any more. */
  lines: string[];
}

/** @returns the exit code */
export async function runPipeline(options: Options): Promise<number> {
  const bounded = options.plans !== undefined || options.proposals !== undefined;
  const display = new Display({ verbose: options.verbose, bounded });
  try {
    const { code, lines } = await runAndStop(options, display);
    for (const line of lines) display.line(line);
    return code;
  } catch (error) {
    display.progress("");
    display.error((error as Error).message);
    return BROKEN;
  }
}

async function runAndStop(options: Options, display: Display): Promise<Ending> {
  await using resources = new AsyncDisposableStack();
  const claim = await claimRun();
  resources.defer(() => claim.release());
  const stopping = stopSignal(claim.stopRequested, display);

  const processes = new Processes();
  let lost = false;
  processes.on("record", (name, record) => display.record(name, record));
  processes.on("text", (name, line) => display.text(name, line));
  processes.on("lost", (_, problem) => {
    display.error(problem);
    lost = true;
    stopping.abort();
  });
  // The feed says when it has published all it was told to.
  let published: number | undefined;
  processes.on("record", (name, { msg, published: count }) => {
    if (name === "harvest-feed" && msg === "feed done") published = Number(count);
  });

  const dir = join(cacheDir(), "run");
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await claim.write(factsOf(options));
  const pipeline = await startPipeline(options, dir, display, processes, resources);
  await claim.write(factsOf(options, pipeline));
  showPipeline(display, options, pipeline);

  const connection = {
    url: pipeline.redis.url,
    onError: (error: Error) => display.error(`Redis: ${error.message}`),
  };
  const redis = connectForCommands({ ...connection, name: "start" });
  resources.defer(() => disconnect(redis));
  const history = new History();
  history.on("plan", (plan) => display.plan(plan));
  history.on("result", (result) => display.result(result));
  history.on("malformed", ({ stream, id, problem }) => display.error(`${stream} entry ${id}: ${problem}`));
  const tail = new StreamTail(connectForBlocking({ ...connection, name: "start:tail" }), keys, history);
  resources.defer(() => tail.stop());
  const killSwitch = pipeline.scenario.killSwitch
    ? operateKillSwitch(redis, keys, history, pipeline.plans, (text) => display.line(text))
    : undefined;

  const end = await waitForEnd({
    history,
    isDone: () => published !== undefined && history.proposals >= published && history.open.size === 0,
    onLook: () => showProgress(display, history, pipeline.plans),
    stuckMs: pipeline.plans === undefined ? Number.POSITIVE_INFINITY : STUCK_MS,
    signal: stopping.signal,
  });
  display.progress("");

  await processes.stop("harvest-feed");
  await killSwitch?.stop();
  await stopStrategy(pipeline.exchangeUrl);
  const deadlineMs = end === "done" ? STUCK_MS : INTERRUPTED_DRAIN_MS;
  const underWay = await drain({ redis, keys, history, tail, deadlineMs });
  const stuck = end === "stuck" || (end === "done" && underWay.length > 0);
  const sources = {
    redis,
    keys,
    exchangeUrl: pipeline.exchangeUrl,
    history,
    requiredIssuers: REQUIRED_ISSUERS,
    halts: killSwitch?.halts ?? [],
  };
  const { evidence, findings } = await check(sources, deadlineMs);

  const summary = summarize(evidence, findings, {
    scenario: options.scenario,
    seed: options.seed,
    ordersExpected: pipeline.scenario.ordersExpected && pipeline.plans !== undefined,
    proposals: history.proposals,
    expectedPlanIds: pipeline.replay?.map(({ expectedPlanId }) => expectedPlanId),
  });
  if (options.summary !== undefined) {
    await writeFile(resolve(options.summary), `${JSON.stringify(summary, null, 2)}\n`);
  }
  const sound = isSound(summary) && !lost;
  return {
    code: stuck ? STUCK : sound ? SOUND : BROKEN,
    lines: [
      ...(stuck
        ? await describeStuck(redis, history, underWay)
        : underWay.map((what) => `still under way: ${what}`)),
      ...renderSummary(summary, evidence, findings),
    ],
  };
}

/** Ctrl-C, SIGTERM, a closed terminal, or `pnpm stop`. A second Ctrl-C does not wait for anything. */
function stopSignal(stopRequested: Promise<void>, display: Display): AbortController {
  const stopping = new AbortController();
  const stop = (why: string) => {
    display.progress("");
    display.line(`${why}: letting what is under way end`);
    stopping.abort();
  };
  process.once("SIGINT", () => {
    process.once("SIGINT", () => process.exit(BROKEN));
    stop("Ctrl-C");
  });
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGHUP", () => stop("the terminal is gone"));
  void stopRequested.then(() => stop("stop"));
  return stopping;
}

/** The ledger follows a fill with the next refresh, so it is given time to; everything else is at rest. */
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

async function describeStuck(
  redis: RedisClient,
  history: History,
  underWay: readonly string[],
): Promise<string[]> {
  return [
    `Stuck: no plan has ended for ${STUCK_MS / 1000} s.`,
    ...underWay.map((what) => `  ${what}`),
    ...(history.open.size === 0
      ? ["  every plan that was proposed has ended"]
      : await stuckTimelines(redis, keys, history.open)),
  ];
}

function showPipeline(display: Display, options: Options, { redis, urls }: Pipeline): void {
  const width = Math.max(...SERVICES.map((name) => name.length));
  display.line(`${"redis".padEnd(width)}  ${withoutPassword(redis.url)}`);
  for (const name of SERVICES) display.line(`${name.padEnd(width)}  ${urls.get(name)}`);
  display.line(`Look inside with: ${redis.cli}`);
  display.line(`Scenario ${options.scenario}, seed ${options.seed}. Ctrl-C ends it.`);
}

function showProgress(display: Display, history: History, plans: number | undefined): void {
  if (plans === undefined) return;
  const { ended, executes, open } = history;
  display.progress(
    `${ended.size} of ${plans} plans ended, ${executes.length} permitted, ${open.size} under way`,
  );
}

function factsOf({ scenario, seed }: Options, pipeline?: Pipeline): RunFacts {
  const ports = [...(pipeline?.urls ?? [])].map(([name, url]) => [name, Number(new URL(url).port)]);
  return {
    pid: process.pid,
    startedAt: STARTED_AT,
    scenario,
    seed,
    ports: Object.fromEntries(ports),
    redis: pipeline && { url: withoutPassword(pipeline.redis.url), port: pipeline.redis.port },
  };
}
const STARTED_AT = new Date().toISOString();
