/** `pnpm chaos`: attacks a whole pipeline with faults and checks that nothing is lost and nothing doubled. */
import { parseOptions } from "./options.ts";
import { runCampaign } from "./run.ts";

const options = parseOptions(process.argv.slice(2));
console.log(`Seed ${options.seed}, ${options.minutes} minutes.`);
const { sound, lines } = await runCampaign(options, (line) => console.log(line));
for (const line of lines) console.log(line);
process.exit(sound ? 0 : 1);
