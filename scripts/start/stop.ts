/** `pnpm stop`: ends the pipeline of this checkout and says so when nothing of it runs any more. */
import { stopRun } from "./run-file.ts";

const stopped = await stopRun();
console.log(stopped === undefined ? "No pipeline is running." : `Stopped (${stopped}).`);
