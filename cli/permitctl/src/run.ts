/** Runs one command. */
import { CommanderError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import { createProgram } from "./program.ts";

/** @returns the exit code; errors have been printed on stderr */
export async function run(args: readonly string[], host: Host): Promise<number> {
  try {
    await createProgram(host).parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed the error. Its help exits with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    // An interrupt is how some commands end; others were not done.
    if (host.stop.aborted && !(error instanceof CommandError)) return EXIT.ok;
    const { message } = error as Error;
    if (message !== "") host.stderr.line(`permitctl: ${message}`);
    return error instanceof CommandError ? error.exit : EXIT.no;
  }
}
