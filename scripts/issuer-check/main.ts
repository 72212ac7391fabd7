/** `pnpm run issuer-check --issuer example -- python3 examples/issuer.py`: exit code 0 if the issuer passes every case. */
import { checkIssuer, issuerCases, PARTITIONS_MAX } from "@quantum/harness";
import { buildText } from "@quantum/service-kit";
import { Command, InvalidArgumentError, Option } from "commander";

const NAME = /^[a-z][a-z0-9]*$/;

const command = new Command("pnpm run issuer-check")
  .version(buildText(), "-V, --version", "print the version and the commit")
  .description(
    "Starts an issuer on a Redis of its own, publishes plans as the apply-layer does, and prints what it breaks. " +
      "It gets REDIS_URL, PARTITIONS, BINANCE_BASE_URL, QUANTUM_ACCOUNT, INSTANCE, SYMBOLS, <NAME>_SIGNING_KEY_FILE and " +
      "<NAME>_METRICS_PORT; a service of this repository gets the variables of its row. See docs/issuers.md.",
  )
  .argument("<command...>", "the issuer's command; behind -- if it has options")
  .option("--issuer <name>", "its name in APPLY_REQUIRED_PERMITS", issuerName, "example")
  .option("--env <name=value>", "a variable more; repeatable", variable)
  .option("--partitions <n>", "divide symbols and keys into n parts", partitionCount, 1)
  .addOption(
    new Option("--case <name>", "run this case only; repeatable")
      .argParser(caseName)
      .default(undefined, "all"),
  )
  .addHelpText(
    "after",
    `\nCases: ${issuerCases(1).join(", ")}; with --partitions also: ${issuerCases(PARTITIONS_MAX).filter(ofPartitions).join(", ")}.\nExit code: 0 passed, 1 something is broken, 2 not run.`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  // pnpm hands over the `--` that npm users write between its arguments and ours; one is for us.
  .passThroughOptions();

command.parse(process.argv[2] === "--" ? process.argv.toSpliced(2, 1) : process.argv);
const {
  issuer,
  env = {},
  case: only,
  partitions,
} = command.opts<{
  issuer: string;
  partitions: number;
  env?: Record<string, string>;
  case?: string[];
}>();

for (const name of only ?? [])
  if (!issuerCases(partitions).includes(name)) command.error(`error: case '${name}' needs --partitions`);

const { cases, output } = await checkIssuer({
  issuer,
  command: command.args,
  env,
  partitions,
  ...(only !== undefined && { only }),
  onCase: ({ name, flaws, breaks, read }) => {
    console.log(`${flaws.length === 0 ? "✓" : "✗"} ${name}`);
    if (flaws.length === 0) return;
    for (const flaw of shown(flaws)) console.log(`    ${flaw}`);
    console.log(`  breaks: ${breaks.replaceAll("ISSUER", issuer)}`);
    console.log(`  read:   docs/issuers.md, "${read}"`);
  },
});
const broken = cases.filter(({ flaws }) => flaws.length > 0).length;
if (broken > 0) console.log(`\nThe issuer's last lines:\n${output}\n`);
console.log(`${cases.length - broken} passed, ${broken} failed`);
process.exitCode = broken === 0 ? 0 : 1;

/** Sixteen plans break in the same way. */
function shown(flaws: readonly string[]): string[] {
  const most = 5;
  return flaws.length <= most ? [...flaws] : [...flaws.slice(0, most), `and ${flaws.length - most} more`];
}

function issuerName(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidArgumentError("A lower-case name is needed.");
}

function partitionCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= PARTITIONS_MAX) return count;
  throw new InvalidArgumentError(`A whole number from 1 to ${PARTITIONS_MAX} is needed.`);
}

/** A case that one partition does not have. */
function ofPartitions(name: string): boolean {
  return !issuerCases(1).includes(name);
}

function variable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("NAME=VALUE is needed.");
  return { ...before, [name]: value };
}

function caseName(text: string, before: string[] | undefined): string[] {
  if (issuerCases(PARTITIONS_MAX).includes(text)) return [...(before ?? []), text];
  throw new InvalidArgumentError(`One of these is needed: ${issuerCases(PARTITIONS_MAX).join(", ")}.`);
}
