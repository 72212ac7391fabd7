/** The environment of a command-line call: the process, or a test. */
import type { Readable } from "node:stream";
import type { Output } from "@quantum/service-kit";

export interface Host {
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable & { isTTY?: boolean };
  stdout: Output;
  stderr: Output;
  /** Ends commands that would run until then. */
  stop: AbortSignal;
}
