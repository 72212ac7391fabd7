/** The command line of `chaos`. */
import { randomSeed, wholeNumber } from "@quantum/harness";
import { buildText, commanderOutput } from "@quantum/service-kit";
import { ISSUERS, QUANTITY_ISSUER, SERVICES } from "@quantum/topology";
import { Command, InvalidArgumentError, Option } from "commander";
import { BEHIND_PROXIES, EVERYWHERE } from "./fault-kind.ts";
import { FAULTS } from "./faults.ts";
import type { RedisKind } from "./redis-servers.ts";

export interface Options {
  seed: number;
  /** How long to inject faults; undefined: however long {@link plans} take. */
  minutes: number | undefined;
  /** End once this many plans have ended; undefined: when the time is over. */
  plans: number | undefined;
  /** Names of {@link FAULTS}. */
  faults: readonly string[];
  /** Whose permits every plan needs. */
  issuers: readonly string[];
  /** Maximum proposals per second, except in bursts. */
  rate: number;
  redis: RedisKind;
  summary: string | undefined;
  record: boolean;
}

const DEFAULT_MINUTES = 2;
const DEFAULT_RATE = 100;

/** Like commander, prints help or an error and exits if there is nothing to run. */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command("chaos")
    .version(buildText(), "-V, --version", "print the version and the commit")
    .description(
      "Attacks a whole pipeline of real processes with a seeded schedule of faults, and checks every invariant at the end.",
    )
    .option("--seed <n>", "repeats a schedule of faults [random, printed]", wholeNumber(0))
    .option("--minutes <m>", `how long to inject faults [${DEFAULT_MINUTES}, with --plans no limit]`, number)
    .option("--plans <n>", "end once this many plans have ended", wholeNumber(1))
    .option("--faults <kinds>", "comma-separated list of the kinds below [all]", faultNames)
    .option(
      "--issuers <names>",
      `comma-separated list of the issuers whose permits plans need [${ISSUERS.join()}]`,
      issuerNames,
    )
    .option("--rate <n>", "maximum proposals per second, except in bursts", number, DEFAULT_RATE)
    .option("--sentinel", "Redis is a master with two replicas and three Sentinels, which fail over", false)
    .addOption(
      new Option(
        "--cluster",
        "Redis is a cluster of three masters with a replica each, for which keys are divided into six partitions",
      )
        .default(false)
        .conflicts("sentinel"),
    )
    .option("--summary <file>", "write the summary as JSON too")
    .option("--record", "add the run to the table in docs/reliability.md", false)
    .addHelpText("after", helpText())
    .configureOutput(commanderOutput)
    .showHelpAfterError("(chaos --help explains the options)");
  const given = command
    .parse(args, { from: "user" })
    .opts<Pick<Options, "rate" | "record"> & Partial<Options> & { sentinel: boolean; cluster: boolean }>();
  const redis: RedisKind = given.cluster ? "cluster" : given.sentinel ? "sentinel" : "lone";
  const unfit = (given.faults ?? []).filter((name) => !fits(name, redis));
  if (unfit.length > 0) {
    command.error(`error: --faults: ${unfit.map((name) => `${name}${where(name)}`).join(", ")}`);
  }
  return {
    seed: given.seed ?? randomSeed(),
    minutes: given.minutes ?? (given.plans === undefined ? DEFAULT_MINUTES : undefined),
    plans: given.plans,
    faults: given.faults ?? Object.keys(FAULTS).filter((name) => fits(name, redis)),
    issuers: given.issuers ?? ISSUERS,
    rate: given.rate,
    redis,
    summary: given.summary,
    record: given.record,
  };
}

const OPTION: Readonly<Record<RedisKind, string>> = {
  lone: "neither",
  sentinel: "--sentinel",
  cluster: "--cluster",
};

/** With which options the fault is possible. */
function where(name: string): string {
  const kinds = kindsOf(name);
  return kinds.length === EVERYWHERE.length
    ? ""
    : ` (with ${kinds.map((kind) => OPTION[kind]).join(" or ")})`;
}

function kindsOf(name: string): readonly RedisKind[] {
  return FAULTS[name]?.on ?? BEHIND_PROXIES;
}

function fits(name: string, redis: RedisKind): boolean {
  return kindsOf(name).includes(redis);
}

function helpText(): string {
  const names = Object.keys(FAULTS);
  const width = Math.max(...names.map((name) => name.length));
  const kinds = Object.entries(FAULTS).map(
    ([name, { meaning }]) => `  ${name.padEnd(width)}  ${meaning}${where(name)}`,
  );
  return `
Faults, injected one at a time; the next follows when the pipeline has recovered:
${kinds.join("\n")}

Exit codes: 0 if everything holds, 1 if not, or if it could not be judged; then seed, commit and the timelines of the affected plans are printed.`;
}

function faultNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => FAULTS[name] === undefined);
  if (unknown.length === 0) return names;
  throw new InvalidArgumentError(
    `Unknown: ${unknown.join(", ")}. Known are ${Object.keys(FAULTS).join(", ")}.`,
  );
}

function issuerNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !SERVICES.some(({ issuer }) => issuer?.name === name));
  if (unknown.length > 0) throw new InvalidArgumentError(`Unknown: ${unknown.join(", ")}.`);
  if (names.includes(QUANTITY_ISSUER)) return names;
  throw new InvalidArgumentError(`${QUANTITY_ISSUER} is missing: its permit carries the order's quantity.`);
}

function number(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Must be a number above 0.");
}
