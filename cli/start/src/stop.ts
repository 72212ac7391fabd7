/** `pnpm stop`: stops this checkout's pipeline and reports when all its processes have ended. */
import { standardOutput } from "@quantum/service-kit";
import { stopRun } from "./run-file.ts";

const stopped = await stopRun();
standardOutput().line(stopped === undefined ? "No pipeline is running." : `Stopped (${stopped}).`);
