/** Starts a program that logs as our services do. Launcher, campaign, tests and benchmark start theirs by it. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, type GuardedProcess, spawnGuarded } from "./child-process.ts";

const REPOSITORY = join(import.meta.dirname, "../../../..");
/** Compiled code of earlier starts: halves the time that a service needs to be ready. */
const COMPILE_CACHE = join(REPOSITORY, ".cache/node");
/** What an error shows of the program's output. */
const SHOWN_LINES = 20;

/** A line of a service's log: pino's JSON. */
export interface LogRecord {
  level: number;
  /** Epoch milliseconds. */
  time: number;
  msg: string;
  [field: string]: unknown;
}

export interface Launch {
  /** As errors call it. */
  name: string;
  /** Path of the main file. */
  main: string;
  /** The whole environment, so that nothing of the caller's shell counts. */
  env: Readonly<Record<string, string>>;
  startTimeoutMs: number;
  /** Once the process exists: from then on it can be ended. */
  onSpawn?: (child: GuardedProcess) => void;
  /** Of stdout and stderr; `record` is undefined for a line that is no log record, such as a stack trace. */
  onLine?: (line: string, record: LogRecord | undefined) => void;
}

export interface Launched {
  child: GuardedProcess;
  /** Of its `ready` record; undefined if that names none. */
  url: string | undefined;
  /** With its last lines. */
  error: (what: string) => Error;
  /** Reads its output no more: parsing it would take time from this process. */
  ignoreOutput: () => void;
}

/** Resolves once the program logs `ready`. Throws with its last lines if it ends or stays silent before; it is ended then. */
export async function launch({
  name,
  main,
  env,
  startTimeoutMs,
  onSpawn,
  onLine,
}: Launch): Promise<Launched> {
  const child = await spawnGuarded(process.execPath, [main], {
    cwd: REPOSITORY,
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    ending: "channel",
  });
  const lines: string[] = [];
  const error = (what: string) => new Error(`${name} ${what}; its last lines:\n${lines.join("\n")}`);
  const ready = Promise.withResolvers<LogRecord>();
  const readers = [child.stdout, child.stderr].map((stream) =>
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (lines.length > SHOWN_LINES) lines.shift();
      const record = parseRecord(line);
      onLine?.(line, record);
      if (record?.msg.startsWith("ready")) ready.resolve(record);
    }),
  );
  onSpawn?.(child);
  child.once("close", (code, signal) =>
    ready.reject(error(`ended with ${code ?? signal} before it was ready`)),
  );
  const timer = setTimeout(
    () => ready.reject(error(`was not ready within ${startTimeoutMs / 1000} s`)),
    startTimeoutMs,
  );
  try {
    const { url } = await ready.promise;
    return {
      child,
      url: typeof url === "string" ? url : undefined,
      error,
      ignoreOutput() {
        for (const reader of readers) reader.close();
        child.stdout.resume();
        child.stderr.resume();
      },
    };
  } catch (failure) {
    await endProcess(child, "SIGKILL");
    throw failure;
  } finally {
    clearTimeout(timer);
  }
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("msg" in value)) return undefined;
    return typeof value.msg === "string" ? (value as LogRecord) : undefined;
  } catch {
    return undefined;
  }
}
