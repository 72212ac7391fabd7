/** One of our services as a separate process, as production runs it. */
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, spawnGuarded, type GuardedProcess } from "./child-process.ts";
import { patienceMs } from "./patience.ts";

const REPOSITORY = join(import.meta.dirname, "../../../..");
const COMPILE_CACHE = join(REPOSITORY, ".cache/node");
const START_TIMEOUT_MS = 15_000;
/** A graceful stop finishes what is under way; one that takes longer is a defect. */
const STOP_TIMEOUT_MS = 10_000;
/** What an error shows of the service's output. */
const SHOWN_LINES = 20;

/** A line of the service's log: pino's JSON. */
export interface LogRecord {
  level: number;
  /** Epoch milliseconds. */
  time: number;
  msg: string;
  [field: string]: unknown;
}

export interface ServiceExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServiceProcess {
  readonly name: string;
  /** Where /healthz, /readyz and /metrics answer: the `url` of its `ready` record. */
  readonly url: string;
  readonly pid: number;
  /** Every record so far; grows. */
  readonly logs: readonly LogRecord[];
  /** How it ended, when it has. */
  readonly exited: Promise<ServiceExit>;
  /** The first record that satisfies the predicate, past ones included. Rejects at the end, or when patience ends. */
  waitForLog(predicate: (record: LogRecord) => boolean, timeoutMs: number): Promise<LogRecord>;
  /** SIGTERM. Rejects if the service had to be killed because it did not end in time. */
  stop(): Promise<ServiceExit>;
  /** SIGKILL. */
  kill(): Promise<ServiceExit>;
  /** SIGSTOP. */
  pause(): void;
  resume(): void;
}

/**
 * Starts `services/<name>` and resolves once it logged `ready`.
 * `env` is the service's whole environment, so that nothing of the developer's shell leaks into a test.
 * Throws with the last lines of output if it ends or stays silent before.
 */
export function startService(name: string, env: Record<string, string>): Promise<ServiceProcess> {
  return startProgram(name, join(REPOSITORY, "services", name, "src/main.ts"), env);
}

/** The same for any program that logs as our services do. */
export async function startProgram(
  name: string,
  main: string,
  env: Record<string, string>,
): Promise<ServiceProcess> {
  // Compiled once for all tests: a start costs half as much.
  const environment = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...env };
  const child = await spawnGuarded(process.execPath, [main], {
    cwd: REPOSITORY,
    env: environment,
    ending: "channel",
  });
  const output = new Output(name, child);
  try {
    const ready = await output.waitFor((record) => record.msg.startsWith("ready"), START_TIMEOUT_MS);
    if (typeof ready["url"] !== "string") throw new Error(`${name}'s ready record has no url`);
    return service(name, child, output, ready["url"]);
  } catch (error) {
    await endProcess(child, "SIGKILL");
    throw error;
  }
}

function service(name: string, child: GuardedProcess, output: Output, url: string): ServiceProcess {
  return {
    name,
    url,
    pid: child.pid ?? 0,
    logs: output.records,
    exited: output.exited,
    waitForLog: (predicate, timeoutMs) => output.waitFor(predicate, timeoutMs),
    async stop() {
      let late = false;
      const timeoutMs = patienceMs(STOP_TIMEOUT_MS);
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, timeoutMs);
      await endProcess(child, "SIGTERM");
      clearTimeout(timer);
      if (late) throw output.error(`did not stop within ${timeoutMs} ms of SIGTERM`);
      return output.exited;
    },
    async kill() {
      await endProcess(child, "SIGKILL");
      return output.exited;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

/** What a service has printed, and who waits for which record. */
class Output {
  readonly records: LogRecord[] = [];
  readonly exited: Promise<ServiceExit>;
  readonly #name: string;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(record: LogRecord) => void>();

  constructor(name: string, child: GuardedProcess) {
    this.#name = name;
    this.exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#take(line));
    }
  }

  async waitFor(predicate: (record: LogRecord) => boolean, givenMs: number): Promise<LogRecord> {
    const past = this.records.find(predicate);
    if (past !== undefined) return past;
    const timeoutMs = patienceMs(givenMs);
    const found = Promise.withResolvers<LogRecord>();
    const listener = (record: LogRecord) => predicate(record) && found.resolve(record);
    this.#listeners.add(listener);
    const timer = setTimeout(
      () => found.reject(this.error(`logged no such record within ${timeoutMs} ms`)),
      timeoutMs,
    );
    void this.exited.then(({ code, signal }) =>
      found.reject(this.error(`ended with ${code ?? signal} before it logged such a record`)),
    );
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    }
  }

  error(what: string): Error {
    return new Error(`${this.#name} ${what}; its last lines:\n${this.#lines.slice(-SHOWN_LINES).join("\n")}`);
  }

  #take(line: string): void {
    this.#lines.push(line);
    const record = parseRecord(line);
    if (record === undefined) return;
    this.records.push(record);
    for (const listener of this.#listeners) listener(record);
  }
}

/** Undefined for a line that is not a log record, such as a stack trace of the runtime. */
function parseRecord(line: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("msg" in value)) return undefined;
    return typeof value.msg === "string" ? (value as LogRecord) : undefined;
  } catch {
    return undefined;
  }
}
