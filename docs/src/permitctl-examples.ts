/**
 * Writes the examples of docs/permitctl.md: what the commands answer on a running pipeline, after a plan of every outcome.
 * Run it after a change of their output: node docs/src/permitctl-examples.ts
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellWord, withSection } from "@quantum/harness";
import { bringAbout, OUTCOME_NAMES, startPipeline } from "../../cli/permitctl/src/outcomes.fixture.ts";

const DOCUMENT = join(import.meta.dirname, "../permitctl.md");
/** `APPLY_PERMIT_WAIT_MS`'s default. */
const DEFAULT_WAIT_MS = 1_200;

const pipeline = await startPipeline(DEFAULT_WAIT_MS);
try {
  const plans = await bringAbout(pipeline);
  const example = async (title: string, ...args: string[]) => {
    const { stdout } = await pipeline.permitctl(...args);
    return `### ${title}\n\n\`\`\`\n$ permitctl ${args.map(shellWord).join(" ")}\n${stdout.trimEnd()}\n\`\`\`\n`;
  };
  const examples: string[] = [];
  for (const name of OUTCOME_NAMES) examples.push(await example(name, "explain", plans[name]));
  // Otherwise the simulated strategy opens again what is closed.
  await pipeline.sim("/sim/strategy", { enabled: false });
  examples.push(
    await example("Status", "status"),
    await example("The exchange", "exchange"),
    await example("History", "history", "--outcome", "BLOCKED"),
    await example("Verify", "verify"),
    await example("Holds", "hold", "list"),
    await example("A drill", "flatten", "--drill"),
    await example("Everything closed", "flatten", "--all", "--yes", "--reason", "prices make no sense"),
    await example("The kill switch is on", "kill", "on"),
  );
  const text = await readFile(DOCUMENT, "utf8");
  await writeFile(DOCUMENT, withSection(text, { document: DOCUMENT, name: "examples" }, examples.join("\n")));
} finally {
  await pipeline.stop();
}
