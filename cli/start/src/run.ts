/** Runs a pipeline from start to finish: start, watch, drain, check, stop. */
import { mkdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { withoutPasswords } from "@quantum/redis";
import { isReaderGone, standardOutput } from "@quantum/service-kit";
import { type Row, serviceOf, SERVICES } from "@quantum/topology";
import { Display } from "./display.ts";
import { BROKEN, type Ending, endUnchecked, type Losses, type Run, watchToTheEnd } from "./ending.ts";
import { History, openPipelineRedis, shellWord, StreamTail } from "@quantum/harness";
import type { Options } from "./options.ts";
import { type Pipeline, startPipeline } from "./pipeline.ts";
import { Processes } from "./processes.ts";
import { type RunRedis, startOwnRedis, useRedis } from "./redis.ts";
import { watchRedis } from "./redis-watch.ts";
import { startOwnCluster, startOwnSentinels } from "./replicated.ts";
import { cacheDir, claimRun, type RunFacts, runFile } from "./run-file.ts";

/** @returns the exit code */
export async function runPipeline(options: Options): Promise<number> {
  const bounded = options.plans !== undefined || options.proposals !== undefined;
  const output = standardOutput();
  const display = new Display({ verbose: options.verbose, bounded, output });
  const code = await runAndStop(options, display, output.closed).then(
    ({ code, lines }) => {
      display.progress("");
      for (const line of lines) display.line(line);
      return code;
    },
    (error: unknown) => {
      display.progress("");
      display.failure((error as Error).message);
      return BROKEN;
    },
  );
  // A pager may take its time; the run no longer needs anything else.
  await output.written();
  return output.closed.aborted && !isReaderGone(output.closed) ? sayUnwritten(output.closed) : code;
}

function sayUnwritten({ reason }: AbortSignal): number {
  standardOutput("stderr").line(`start: the output cannot be written: ${(reason as Error).message}`);
  return BROKEN;
}

async function runAndStop(options: Options, display: Display, closed: AbortSignal): Promise<Ending> {
  await using resources = new AsyncDisposableStack();
  const claim = await claimRun();
  resources.defer(() => claim.release());
  const stopping = stopSignal(claim.stopRequested, closed, display);
  const losses: Losses = { fatal: Promise.withResolvers(), services: [] };
  const feed: Run["feed"] = { published: undefined };
  const processes = new Processes();
  // The feed logs when it has published all its proposals.
  processes.on("record", (name, { msg, published }) => {
    if (name === "harvest-feed" && msg === "feed done") feed.published = Number(published);
  });
  showProcesses(processes, display, losses, stopping);

  const dir = join(cacheDir(), "run");
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await claim.write(factsOf(options));
  const runRedis = await redisOf(options, dir, (text) => display.line(text));
  resources.defer(() => runRedis.stop());
  resources.defer(() => processes.stopAll());
  const over = new AbortController();
  resources.defer(() => over.abort());
  const watchProcess = async () => {
    const how = await runRedis.ended;
    if (!over.signal.aborted) losses.fatal.resolve(`redis ended with ${how}`);
  };
  void watchProcess();
  const pipeline = await Promise.race([
    startPipeline(options, dir, runRedis, processes, (text) => display.error(text)),
    losses.fatal.promise.then((why) => {
      display.muteErrors();
      return Promise.reject(new Error(`The pipeline cannot start: ${why}`));
    }),
  ]);
  await claim.write(factsOf(options, pipeline));
  showPipeline(display, options, pipeline);

  // The watch reports connection problems, once.
  const stored = openPipelineRedis({
    url: pipeline.redis.url,
    partitions: runRedis.partitions,
    name: "start",
  });
  resources.defer(() => stored.close());
  const watch = watchRedis(stored.intake.redis, runRedis.silenceMs, (text) => display.error(text));
  resources.defer(() => watch.stop());
  void watch.lost.then((problem) => losses.fatal.resolve(problem));
  const history = new History();
  history.on("plan", (plan) => display.plan(plan));
  history.on("result", (result) => display.result(result));
  history.on("malformed", ({ stream, id, problem }) => display.error(`${stream} entry ${id}: ${problem}`));
  const tail = new StreamTail(stored, history);
  resources.defer(() => tail.stop());

  const run: Run = {
    options,
    display,
    stopping,
    losses,
    processes,
    pipeline,
    stored,
    history,
    tail,
    feed,
  };
  const withoutIt = async () => {
    const why = await losses.fatal.promise;
    watch.stop();
    display.muteErrors();
    display.progress("");
    display.error(`${why}: the run ends here`);
    stopping.abort();
    return endUnchecked(run, why);
  };
  const toItsEnd = async () => {
    try {
      return await watchToTheEnd(run);
    } catch (error) {
      // If Redis is gone, the losses report it. Otherwise the command failed for its own reason.
      if (await watch.answers()) throw error;
      return new Promise<never>(() => undefined);
    }
  };
  const ending = await Promise.race([toItsEnd(), withoutIt()]);
  display.flush();
  return ending;
}

function redisOf(
  { redisUrl, partitions, sentinel, cluster: masters }: Options,
  dir: string,
  onProgress: (text: string) => void,
): Promise<RunRedis> {
  if (redisUrl !== undefined) return useRedis(redisUrl, partitions);
  const wanted = { dir, partitions, onProgress };
  if (masters !== undefined) return startOwnCluster(wanted, masters);
  return sentinel ? startOwnSentinels(wanted) : startOwnRedis(wanted);
}

/** Shows the services' output, and what happens when one exits. */
function showProcesses(
  processes: Processes,
  display: Display,
  losses: Losses,
  stopping: AbortController,
): void {
  processes.on("record", (name, record) => display.record(name, record));
  processes.on("text", (name, line) => display.text(name, line));
  processes.on("restarting", (name, how) => display.error(`${name} ended with ${how}: starting it again`));
  processes.on("restarted", (name) => display.line(`${name} runs again`));
  processes.on("lost", (name, problem, why) => {
    if (name === "exchange-sim") losses.fatal.resolve(problem);
    else {
      display.failure(`${problem} and stays down: ${why}`);
      const { watches }: Row = serviceOf(name);
      if (watches) return;
      losses.services.push(name);
      stopping.abort();
    }
  });
}

/**
 * Handles Ctrl-C, SIGTERM, a closed terminal, `pnpm stop`, and an output that nobody reads. A second Ctrl-C exits at
 * once.
 */
function stopSignal(stopRequested: Promise<void>, closed: AbortSignal, display: Display): AbortController {
  const stopping = new AbortController();
  const stop = (why: string) => {
    display.progress("");
    display.line(`${why}: finishing what is in progress`);
    stopping.abort();
  };
  process.once("SIGINT", () => {
    process.once("SIGINT", () => process.exit(BROKEN));
    stop("Ctrl-C");
  });
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGHUP", () => stop("the terminal is gone"));
  void stopRequested.then(() => stop("stop"));
  closed.addEventListener("abort", () => stopping.abort());
  return stopping;
}

function showPipeline(display: Display, options: Options, { redis, urls, console: served }: Pipeline): void {
  const started = SERVICES.filter(({ name }) => urls.has(name));
  const width = Math.max(...started.map(({ name }) => name.length));
  display.line(`${"redis".padEnd(width)}  ${withoutPasswords(redis.url)}`);
  for (const { name } of started) {
    const login = name === "console" && served ? `  user ${served.user}, password ${served.password}` : "";
    display.line(`${name.padEnd(width)}  ${urls.get(name)}${login}`);
  }
  display.line(`Look inside with: ${redis.cli}`);
  for (const line of redis.failover) display.line(line);
  display.line(
    `Close everything with: npx -y pnpm@12 permitctl --run ${shellWord(relative(process.cwd(), runFile()))} flatten --all`,
  );
  display.line(`Scenario ${options.scenario}, seed ${options.seed}. Ctrl-C ends it.`);
}

function factsOf({ scenario, seed }: Options, pipeline?: Pipeline): RunFacts {
  const ports = [...(pipeline?.urls ?? [])].map(([name, url]) => [name, Number(new URL(url).port)]);
  return {
    pid: process.pid,
    startedAt: STARTED_AT,
    scenario,
    seed,
    ports: Object.fromEntries(ports),
    redis: pipeline && {
      url: pipeline.redis.operatorUrl,
      port: pipeline.redis.port,
      partitions: pipeline.redis.partitions,
    },
    exit: pipeline && { keysFolder: pipeline.keysFolder, ...EXIT_PLACE },
  };
}
const STARTED_AT = new Date().toISOString();

/** What the executor of a run at the simulated exchange expects an exit to name. */
const EXIT_PLACE = {
  mode: serviceOf("executor").demonstration.EXECUTOR_MODE,
  venue: "simulated",
  account: "main",
} as const;
