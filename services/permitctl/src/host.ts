/** What a call of the command line is given by its surroundings: the process, or a test. */
import type { Readable, Writable } from "node:stream";

export interface Host {
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable;
  /** Ends commands that go on until then. */
  stop: AbortSignal;
}
