/** `pnpm start`: the whole pipeline as separate processes, shown live, checked at the end. */
import { parseOptions } from "./options.ts";
import { runPipeline } from "./run.ts";

process.exit(await runPipeline(parseOptions(process.argv.slice(2))));
