/** `pnpm chaos`: attacks a whole pipeline with faults and checks that nothing is lost or doubled. */
import { standardOutput } from "@quantum/service-kit";
import { parseOptions } from "./options.ts";
import { runCampaign } from "./run.ts";

const options = parseOptions(process.argv.slice(2));
const output = standardOutput();
const ends = [
  ...(options.minutes === undefined ? [] : [`${options.minutes} minutes`]),
  ...(options.plans === undefined ? [] : [`${options.plans} plans`]),
];
output.line(`Seed ${options.seed}, ${ends.join(" or ")}.`);
try {
  const { sound, lines } = await runCampaign(options, (line) => output.line(line), output.closed);
  output.lines(lines);
  process.exitCode = sound ? 0 : 1;
} catch (error) {
  // Redis or the exchange did not come back: what happened before stands above.
  output.line(`Not judged: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
}
process.exit();
