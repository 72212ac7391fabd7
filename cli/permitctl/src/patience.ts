import { partlyText, type Patience } from "@quantum/operator";
import type { Terminal } from "./terminal.ts";

/** For a change of every partition: tells where it is not made yet, and tries again until Ctrl-C. */
export function patienceOf(terminal: Terminal, what: string, stop: AbortSignal): Patience {
  return {
    stop,
    tell: (reached) => terminal.remark(`${partlyText(what, reached)}; trying again, Ctrl-C ends it`),
  };
}
