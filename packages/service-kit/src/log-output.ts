/**
 * Where log lines go: to stdout, those of one turn of the event loop in one write. A line each would cost a service as
 * much as its work does. Synchronous, so that what was logged before an exit is there, in order: pino's own buffering
 * loses or turns it round. Only what ends a process without a word (SIGKILL) takes the lines of its last turn along.
 */
import { pino } from "pino";

export function createLogOutput() {
  const stdout = pino.destination({ dest: 1, sync: true });
  let lines = "";
  let turn: NodeJS.Immediate | undefined;
  const flushSync = () => {
    clearImmediate(turn);
    turn = undefined;
    const written = lines;
    lines = "";
    if (written !== "") stdout.write(written);
  };
  // An uncaught error ends in an exit, too.
  process.on("exit", flushSync);
  return {
    write(line: string) {
      lines += line;
      turn ??= setImmediate(flushSync);
    },
    flushSync,
  };
}
