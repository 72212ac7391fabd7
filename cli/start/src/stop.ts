/** `pnpm stop`: ends the pipeline of this checkout and says so when nothing of it runs any more. */
import { standardOutput } from "@quantum/service-kit";
import { stopRun } from "./run-file.ts";

const stopped = await stopRun();
standardOutput().line(stopped === undefined ? "No pipeline is running." : `Stopped (${stopped}).`);
