/** Runs one of our services as a separate process, as in production. */
import { join } from "node:path";
import { endProcess, type GuardedProcess } from "./child-process.ts";
import { launch, type LogRecord } from "./launch.ts";
import { patienceMs } from "./patience.ts";
import { underOwnUser } from "../servers/redis-users.ts";

const REPOSITORY = join(import.meta.dirname, "../../../..");
const START_TIMEOUT_MS = 15_000;
/** A graceful stop finishes the work in progress. Taking longer is a defect. */
const STOP_TIMEOUT_MS = 10_000;

export interface ServiceExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServiceProcess {
  readonly name: string;
  /** The base URL of /healthz, /readyz and /metrics, from the `ready` record. */
  readonly url: string;
  readonly pid: number;
  /** Every record so far; grows. */
  readonly logs: readonly LogRecord[];
  /** Resolves when it has exited. */
  readonly exited: Promise<ServiceExit>;
  /** An error that includes the last lines of output. */
  error(what: string): Error;
  /** The first matching record, including past ones. Rejects if the process exits or the timeout passes. */
  waitForLog(predicate: (record: LogRecord) => boolean, timeoutMs: number): Promise<LogRecord>;
  /** Sends SIGTERM. Rejects if the service did not stop in time and had to be killed. */
  stop(): Promise<ServiceExit>;
  /** SIGKILL. */
  kill(): Promise<ServiceExit>;
  /** SIGSTOP. */
  pause(): void;
  resume(): void;
}

/**
 * Starts `services/<name>` and resolves once it logs `ready`. `env` is the service's whole environment, so that the
 * developer's shell has no influence; unless REDIS_URL names a user, it works under the service's own. Throws with the last lines of output if the service exits or times out before.
 */
export function startService(name: string, env: Record<string, string>): Promise<ServiceProcess> {
  const main = join(REPOSITORY, "services", name, "src/main.ts");
  return startProgram(name, main, underOwnUser(name, env));
}

/** Like {@link startService}, for any program that logs like our services. */
export async function startProgram(
  name: string,
  main: string,
  env: Record<string, string>,
): Promise<ServiceProcess> {
  const output = new Output();
  const { child, url, error } = await launch({
    name,
    main,
    env,
    startTimeoutMs: patienceMs(START_TIMEOUT_MS),
    onSpawn: (spawned) => output.follow(spawned),
    onLine: (_line, record) => record && output.take(record),
  });
  output.error = error;
  if (url !== undefined) return service(name, child, output, url);
  await endProcess(child, "SIGKILL");
  throw error("has a ready record without a url");
}

function service(name: string, child: GuardedProcess, output: Output, url: string): ServiceProcess {
  return {
    name,
    url,
    pid: child.pid ?? 0,
    logs: output.records,
    exited: output.exited,
    error: output.error,
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

/** A service's log records, and waits for them. */
class Output {
  readonly records: LogRecord[] = [];
  readonly #exited = Promise.withResolvers<ServiceExit>();
  readonly exited = this.#exited.promise;
  readonly #listeners = new Set<(record: LogRecord) => void>();
  error = (what: string) => new Error(what);

  follow(child: GuardedProcess): void {
    child.once("close", (code, signal) => this.#exited.resolve({ code, signal }));
  }

  take(record: LogRecord): void {
    this.records.push(record);
    for (const listener of this.#listeners) listener(record);
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
}
