/** `permitctl`: the operators' command line. */
import { isReaderGone, standardOutput } from "@quantum/service-kit";
import { EXIT } from "./exit.ts";
import { run } from "./run.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
const stdout = standardOutput();
const stderr = standardOutput("stderr");
// `permitctl watch | head` ends when its reader does. Any other output error is a failure.
stdout.closed.addEventListener("abort", () => {
  if (isReaderGone(stdout.closed)) process.exit(EXIT.ok);
  stderr.line(`permitctl: the answer cannot be written: ${(stdout.closed.reason as Error).message}`);
  process.exit(EXIT.no);
});

const { env, stdin } = process;
process.exitCode = await run(process.argv.slice(2), { env, stdin, stdout, stderr, stop: stop.signal });
