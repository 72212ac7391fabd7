/** `permitctl`: the operators' command line. */
import { EXIT } from "./exit.ts";
import { run } from "./run.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
// `permitctl watch | head` ends when its reader does.
process.stdout.on("error", () => process.exit(EXIT.ok));

const { env, stdin, stdout, stderr } = process;
process.exitCode = await run(process.argv.slice(2), { env, stdin, stdout, stderr, stop: stop.signal });
