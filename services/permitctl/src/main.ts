/** `permitctl`: the operators' command line. */
import { CommanderError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import { createProgram } from "./program.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
// `permitctl watch | head` ends when its reader does.
process.stdout.on("error", () => process.exit(EXIT.ok));

try {
  await createProgram(stop.signal).parseAsync();
} catch (error) {
  process.exitCode = exitOf(error);
}

function exitOf(error: unknown): number {
  // Commander has said what is wrong; its help ends with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { message } = error as Error;
  if (message !== "") process.stderr.write(`permitctl: ${message}\n`);
  return error instanceof CommandError ? error.exit : EXIT.no;
}
