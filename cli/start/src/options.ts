/** The command line of `start`. */
import { PARTITIONS_MAX } from "@quantum/contract";
import { randomSeed, wholeNumber } from "@quantum/harness";
import { parseRedisUrl } from "@quantum/redis";
import { buildText, commanderOutput } from "@quantum/service-kit";
import { Command, InvalidArgumentError, Option } from "commander";
import { describeProfile } from "./profile.ts";
import { SCENARIO_NAMES, type ScenarioName, SCENARIOS } from "./scenarios.ts";

export interface Options {
  /** End once this many plans have ended. */
  plans: number | undefined;
  summary: string | undefined;
  proposals: string | undefined;
  /** Proposals per second. */
  rate: number;
  seed: number;
  scenario: ScenarioName;
  redisUrl: string | undefined;
  /** As in PARTITIONS. */
  partitions: number;
  /** Whether Redis is a master with replicas and Sentinels. */
  sentinel: boolean;
  /** The number of a cluster's masters; undefined: no cluster. */
  cluster: number | undefined;
  /** Whether the console runs, too. */
  console: boolean;
  verbose: boolean;
}

const LIVE_RATE = 2;
const BOUNDED_RATE = 50;
/** Fewer do not replace one that is lost. */
const MASTERS_MIN = 3;
/** Two for each of three masters: docs/adr/0039. */
const CLUSTER_PARTITIONS = 6;

/** Like commander, prints help or an error and exits if there is nothing to run. */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command("start")
    .version(buildText(), "-V, --version", "print the version and the commit")
    .description("Starts the whole pipeline with its own Redis and exchange, and shows what it does.")
    .option(
      "--plans <n>",
      "end when N plans have ended; exit code 0 only if every invariant holds",
      wholeNumber(1),
    )
    .option("--summary <file>", "write the summary as JSON too")
    .addOption(
      new Option(
        "--proposals <file>",
        "replay a JSONL file of proposals, and end when every line has ended",
      ).conflicts("plans"),
    )
    .option("--rate <n>", `proposals per second [${LIVE_RATE} live, ${BOUNDED_RATE} in runs that end]`, rate)
    .option("--seed <n>", "repeats a run's proposals, prices and chances [random, printed]", wholeNumber(0))
    .addOption(
      new Option("--scenario <name>", "what the simulated issuers do")
        .choices(SCENARIO_NAMES)
        .default("healthy"),
    )
    .option("--redis-url <url>", "use this Redis, which must be empty, instead of starting one", redisUrl)
    .option(
      "--partitions <n>",
      `divide symbols and keys into N parts [1, with --cluster ${CLUSTER_PARTITIONS}]`,
      partitionCount,
    )
    .addOption(
      new Option(
        "--sentinel",
        "start a Redis master with two replicas and three Sentinels, which replace it if you kill it",
      )
        .default(false)
        .conflicts(["redisUrl", "cluster"]),
    )
    .addOption(
      new Option(
        "--cluster [n]",
        `start a Redis Cluster of N masters with a replica each, which replaces it if you kill it [${MASTERS_MIN}]`,
      )
        .argParser(wholeNumber(MASTERS_MIN))
        .conflicts("redisUrl"),
    )
    .option("--console", "serve the console; without this option, in runs that do not end by themselves")
    .option("--no-console", "run without it")
    .option("--verbose", "show every log line of every service", false)
    .addHelpText("after", helpText())
    .configureOutput(commanderOutput)
    .showHelpAfterError("(start --help explains the options)");
  const given = command
    .parse(args, { from: "user" })
    .opts<
      Partial<Omit<Options, "cluster">> &
        Pick<Options, "scenario" | "verbose" | "sentinel"> & { cluster?: number | true }
    >();
  const cluster = given.cluster === true ? MASTERS_MIN : given.cluster;
  const partitions = given.partitions ?? (cluster === undefined ? 1 : CLUSTER_PARTITIONS);
  if (cluster !== undefined && partitions === 1)
    command.error("error: --partitions 1: a cluster needs more, since the keys of one are in several slots");
  const bounded = given.plans !== undefined || given.proposals !== undefined;
  return {
    plans: given.plans,
    summary: given.summary,
    proposals: given.proposals,
    rate: given.rate ?? (bounded ? BOUNDED_RATE : LIVE_RATE),
    seed: given.seed ?? randomSeed(),
    scenario: given.scenario,
    redisUrl: given.redisUrl,
    partitions,
    sentinel: given.sentinel,
    cluster,
    console: given.console ?? !bounded,
    verbose: given.verbose,
  };
}

function helpText(): string {
  const width = Math.max(...SCENARIO_NAMES.map((name) => name.length));
  const scenarios = SCENARIO_NAMES.map((name) => `  ${name.padEnd(width)}  ${SCENARIOS[name].meaning}`);
  return `
Scenarios:
${scenarios.join("\n")}

Profile (what differs from the services' defaults; allowlists are the symbols of the feed):
${describeProfile()}

Exit code: 0 every invariant holds, 1 one is broken or something failed, 2 no plan ended for 30 s.`;
}

function partitionCount(text: string): number {
  const count = wholeNumber(1)(text);
  if (count <= PARTITIONS_MAX) return count;
  throw new InvalidArgumentError(`Must be at most ${PARTITIONS_MAX}.`);
}

function rate(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Must be a number above 0.");
}

function redisUrl(text: string): string {
  let why = "scheme: must name one server";
  try {
    if (parseRedisUrl(text).kind === "server") return text;
  } catch (error) {
    why = (error as Error).message;
  }
  throw new InvalidArgumentError(`Must be a URL such as redis://127.0.0.1:6379/5 (${why}).`);
}
