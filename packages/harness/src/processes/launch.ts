/** Starts a program that logs like our services. Used by the launcher, the campaign, tests and benchmarks. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, type GuardedProcess, spawnGuarded } from "./child-process.ts";

const REPOSITORY = join(import.meta.dirname, "../../../..");
/** Caches compiled code, which halves a service's start time. */
const COMPILE_CACHE = join(REPOSITORY, ".cache/node");
/** How much of the program's output an error shows. */
const SHOWN_LINES = 20;

/** A line of a service's log, in pino's JSON. */
export interface LogRecord {
  level: number;
  /** Epoch milliseconds. */
  time: number;
  msg: string;
  [field: string]: unknown;
}

export interface Launch {
  /** The name used in errors. */
  name: string;
  /** Path of the main file. */
  main: string;
  /** The whole environment, so that the caller's shell has no influence. */
  env: Readonly<Record<string, string>>;
  startTimeoutMs: number;
  /** Called when the process exists, so that it can be ended from then on. */
  onSpawn?: (child: GuardedProcess) => void;
  /** A line of stdout or stderr. `record` is undefined if the line is not a log record, such as in a stack trace. */
  onLine?: (line: string, record: LogRecord | undefined) => void;
}

export interface Launched {
  child: GuardedProcess;
  /** From its `ready` record; undefined if that has none. */
  url: string | undefined;
  /** An error that includes the last lines of output. */
  error: (what: string) => Error;
  /** Stops reading the output, because parsing it takes this process's time. */
  ignoreOutput: () => void;
}

/** Resolves once the program logs `ready`. If it exits or times out before, ends it and throws with its last lines. */
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
