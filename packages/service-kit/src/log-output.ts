/**
 * Where log lines go: to stdout, those of one turn of the event loop in one write. A line each would cost a service as
 * much as its work does. Synchronous, so that what was logged before an exit is there, in order: pino's own buffering
 * loses or turns it round. Only what ends a process without a word (SIGKILL) takes the lines of its last turn along.
 */
import { escapeControls, isWaitLine, withoutWaitMark } from "@quantum/contract";
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
      lines += shownRecord(line);
      turn ??= setImmediate(flushSync);
    },
    flushSync,
  };
}

/** The message stands last in a record of pino's, so no field of a record can pass for it. */
const MESSAGE = /,"msg":"([^"\\]*)"\}$/;

/**
 * The same JSON, fit for a terminal and for grep: pino escapes C0 controls only, and the words of an issuer or of a
 * publisher in some field would be found as a `[PERMIT_WAIT]` line.
 */
export function shownRecord(line: string): string {
  const record = escapeControls(line.trimEnd());
  const message = MESSAGE.exec(record);
  if (message === null || !isWaitLine(message[1] ?? "")) return `${withoutWaitMark(record)}\n`;
  return `${withoutWaitMark(record.slice(0, message.index))}${message[0]}\n`;
}
