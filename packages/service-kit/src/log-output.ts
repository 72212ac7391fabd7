/**
 * Where log lines go: to stdout, those of one turn of the event loop in one write. A line each would cost a service as
 * much as its work does.
 *
 * Whoever reads them, or does not, must not be able to stop the service: a write never waits. What a full pipe, a
 * stopped terminal or a full disk does not take is kept up to a bound and tried again; beyond it lines are dropped, and
 * counted. Only an exit waits for a moment, so that the last lines are there; and SIGKILL takes those of its turn along.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";
import { escapeControls, isWaitLine, withoutWaitMark } from "@quantum/contract";

const STDOUT = 1;
/** Some thousand lines: a reader that pauses for a moment misses nothing. */
const KEPT_MAX = 2 ** 20;
/** After a write that took something; and the longest pause while nothing is taken. */
const RETRY_MIN_MS = 2;
const RETRY_MAX_MS = 50;
/** What an exit waits for a reader that is slow. */
const EXIT_WAIT_MS = 1_000;
const EXIT_RETRY_MS = 5;

export interface LogEvents {
  dropped: () => void;
  /** All that was kept is written: what says so is a line of its own. */
  resumed: (dropped: number) => void;
}

export function createLogOutput(events: LogEvents) {
  const fd = nonBlockingStdout();
  /** What is being written, and the lines that came since. */
  let rest = Buffer.alloc(0);
  let lines = "";
  let dropped = 0;
  let turn: NodeJS.Immediate | undefined;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = RETRY_MIN_MS;

  /** @returns the code of the error that keeps the rest from being written; it is tried again by itself */
  const flush = (): string | undefined => {
    clearImmediate(turn);
    clearTimeout(retry);
    turn = undefined;
    retry = undefined;
    while (rest.length > 0 || lines !== "" || dropped > 0) {
      if (rest.length === 0 && lines === "") {
        const count = dropped;
        dropped = 0;
        events.resumed(count);
      }
      if (rest.length === 0) {
        rest = Buffer.from(lines);
        lines = "";
      }
      try {
        rest = rest.subarray(writeSync(fd, rest));
        retryMs = RETRY_MIN_MS;
      } catch (error) {
        retry = setTimeout(flush, retryMs).unref();
        retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
        return (error as NodeJS.ErrnoException).code;
      }
    }
    return undefined;
  };
  // An uncaught error ends in an exit, too.
  process.on("exit", () => {
    const untilMs = performance.now() + EXIT_WAIT_MS;
    while (flush() === "EAGAIN" && performance.now() < untilMs) sleepSync(EXIT_RETRY_MS);
  });
  return {
    write(line: string) {
      // Once a line is missing, so are those after it: one gap, said where it is.
      if (dropped > 0 || rest.length + lines.length > KEPT_MAX) {
        dropped += 1;
        events.dropped();
        return;
      }
      lines += shownRecord(line);
      if (retry === undefined) turn ??= setImmediate(flush);
    },
    flushSync: () => void flush(),
  };
}

/**
 * A terminal is opened again, so that other programs that share it are not affected. A socket cannot be, and where a pipe is stderr,
 * too, the words of an uncaught error must not wait either: libuv makes those non-blocking, and Node makes them what
 * they were when it exits. A write to a file waits for nobody.
 */
function nonBlockingStdout(): number {
  const stdout = fstatSync(STDOUT);
  if (stdout.isFIFO() || stdout.isSocket()) new Socket({ fd: STDOUT, readable: false, writable: true });
  if (!isatty(STDOUT)) return STDOUT;
  try {
    return openSync("/dev/stdout", constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Another user's terminal, as after su.
    return STDOUT;
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
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
