/** `pnpm chaos`: attacks a whole pipeline with faults and checks that nothing is lost or doubled. */
import { standardOutput } from "@quantum/service-kit";
import { parseOptions } from "./options.ts";
import { runCampaign } from "./run.ts";

const options = parseOptions(process.argv.slice(2));
const output = standardOutput();
output.line(`Seed ${options.seed}, ${options.minutes} minutes.`);
const { sound, lines } = await runCampaign(options, (line) => output.line(line), output.closed);
output.lines(lines);
process.exit(sound ? 0 : 1);
