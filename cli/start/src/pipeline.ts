/** Starts every process of a run, and stops them in a safe order. */
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipelineOf, type Service, type ServiceName, serviceOf } from "@quantum/topology";
import { makeRunKeys, readSymbols } from "@quantum/harness";
import { type RunConsole, startConsole } from "./console-of-run.ts";
import { marketOf, parseProposalLines, type ProposalLine } from "./market.ts";
import type { Options } from "./options.ts";
import type { Processes } from "./processes.ts";
import { environmentOf, exchangeSimEnvironment, issuersOf, type Run } from "./profile.ts";
import type { RunRedis } from "./redis.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";

export interface Pipeline {
  redis: RunRedis;
  urls: ReadonlyMap<ServiceName, string>;
  exchangeUrl: string;
  /** Undefined: it was not wanted, or did not start. */
  console: RunConsole | undefined;
  scenario: Scenario;
  /** The keys of the issuers and of an operator. */
  keysFolder: string;
  /** The lines of `--proposals`. */
  replay: readonly ProposalLine[] | undefined;
  /** How many plans the run should have; undefined: endless. */
  plans: number | undefined;
}

/**
 * `dir` is for this run's data. Every started process is in `processes`, even if this throws. `onProblem` hears of what the
 * run can do without.
 */
export async function startPipeline(
  options: Options,
  dir: string,
  redis: RunRedis,
  processes: Processes,
  onProblem: (text: string) => void,
): Promise<Pipeline> {
  const scenario: Scenario = SCENARIOS[options.scenario];
  const proposalsFile = options.proposals === undefined ? undefined : resolve(options.proposals);
  const replay = proposalsFile === undefined ? undefined : await readProposals(proposalsFile);

  const market = replay === undefined ? scenario.market : marketOf(replay);
  const marketFile = market === undefined ? undefined : join(dir, "market.json");
  if (marketFile !== undefined) await writeFile(marketFile, JSON.stringify(market, null, 2));
  const exchangeUrl = await processes.start("exchange-sim", exchangeSimEnvironment(options.seed, marketFile));
  const run: Run = {
    scenario,
    redis,
    exchangeUrl,
    keysFolder: await makeRunKeys(join(dir, "keys")),
    dir,
    symbols: await readSymbols(exchangeUrl),
    seed: options.seed,
    rate: options.rate,
    plans: options.plans,
    proposalsFile,
  };

  const urls = new Map<ServiceName, string>([["exchange-sim", exchangeUrl]]);
  const start = async (service: Service) => {
    urls.set(service.name, await processes.start(service.name, environmentOf(service, run)));
  };
  // Wait for all starts before throwing, because a process that is still starting cannot be stopped.
  for (const started of await Promise.allSettled(pipelineOf(issuersOf(scenario)).map(start))) {
    if (started.status === "rejected") throw started.reason;
  }
  // After the others, so that every service is ready for its proposals.
  await start(serviceOf("harvest-feed"));
  const served = options.console
    ? await startConsole(processes, run, [...urls.values()], onProblem)
    : undefined;
  if (served !== undefined) urls.set("console", served.url);
  return {
    redis,
    urls,
    exchangeUrl,
    console: served,
    scenario,
    keysFolder: run.keysFolder,
    replay,
    plans: options.plans ?? replay?.length,
  };
}

async function readProposals(file: string): Promise<ProposalLine[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Error(`--proposals ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  });
  return parseProposalLines(text, file);
}
