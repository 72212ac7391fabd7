/**
 * Writes log lines to stdout. Lines from one turn of the event loop go in one write, because a write per line would
 * cost as much as the service's actual work.
 *
 * A stalled reader must not stop the service, so writes never block. When a pipe, terminal or disk is full, lines are
 * kept up to a limit and retried. Beyond the limit they are dropped and counted. An exit waits briefly, so that the
 * last lines are written. SIGKILL loses the lines of the current turn.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";
import { escapeControls, isWaitLine, withoutWaitMark } from "@quantum/contract";

const STDOUT = 1;
/** About a thousand lines, so a reader that pauses briefly misses nothing. */
const KEPT_MAX = 2 ** 20;
/** The retry interval: the minimum, used after a successful write, and the maximum. */
const RETRY_MIN_MS = 2;
const RETRY_MAX_MS = 50;
/** How long an exit waits for a slow reader. */
const EXIT_WAIT_MS = 1_000;
const EXIT_RETRY_MS = 5;

export interface LogEvents {
  dropped: () => void;
  /** Called when the backlog has been written, with the number of dropped lines. Its log line is written next. */
  resumed: (dropped: number) => void;
}

export function createLogOutput(events: LogEvents) {
  const fd = nonBlockingStdout();
  /** Bytes being written, and lines added since. */
  let rest = Buffer.alloc(0);
  let lines = "";
  let dropped = 0;
  let turn: NodeJS.Immediate | undefined;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = RETRY_MIN_MS;

  /** @returns the code of the error that stopped the write, which is retried automatically */
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
  // Also covers uncaught errors, which end in an exit.
  process.on("exit", () => {
    const untilMs = performance.now() + EXIT_WAIT_MS;
    while (flush() === "EAGAIN" && performance.now() < untilMs) sleepSync(EXIT_RETRY_MS);
  });
  return {
    write(line: string) {
      // After one dropped line, all following lines are dropped too. This gives one gap, reported where it occurs.
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
 * Makes writes to stdout non-blocking. A terminal is opened a second time, so other programs that share it are not
 * affected. A socket cannot be opened again. A pipe may also be stderr, where the message of an uncaught error must not
 * block either. Libuv makes both non-blocking, and Node restores them on exit. Writes to a file do not wait.
 */
function nonBlockingStdout(): number {
  const stdout = fstatSync(STDOUT);
  if (stdout.isFIFO() || stdout.isSocket()) new Socket({ fd: STDOUT, readable: false, writable: true });
  if (!isatty(STDOUT)) return STDOUT;
  try {
    return openSync("/dev/stdout", constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Another user's terminal, for example after su.
    return STDOUT;
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** The message is last in pino's record, so no other field can be mistaken for it. */
const MESSAGE = /,"msg":"([^"\\]*)"\}$/;

/**
 * The same JSON, made safe for a terminal and for grep. Pino only escapes C0 controls, and a field that contains text
 * from an issuer or publisher could match a search for `[PERMIT_WAIT]` lines.
 */
export function shownRecord(line: string): string {
  const record = escapeControls(line.trimEnd());
  const message = MESSAGE.exec(record);
  if (message === null || !isWaitLine(message[1] ?? "")) return `${withoutWaitMark(record)}\n`;
  return `${withoutWaitMark(record.slice(0, message.index))}${message[0]}\n`;
}
