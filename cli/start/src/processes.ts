/** The services as child processes: started on their fixed ports if free, observed, and ended with this process. */
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { endProcess, type GuardedProcess, isFree, launch, type LogRecord } from "@quantum/harness";
import { type Environment, type Row, type ServiceName, serviceOf } from "@quantum/topology";

const ROOT = join(import.meta.dirname, "../../..");
/** Several processes start at once, perhaps on one core. */
const START_TIMEOUT_MS = 60_000;
/** Services have their own stop deadline; this is for one that hangs. */
const STOP_TIMEOUT_MS = 5_000;
/** If a service exits again, another restart would not help. */
const RESTARTS_MAX = 1;

export interface ProcessEvents {
  record: [ServiceName, LogRecord];
  /** A line that is not a log record, such as a stack trace. */
  text: [ServiceName, string];
  /** A service exited unexpectedly and is being restarted, as by a supervisor. */
  restarting: [ServiceName, string];
  restarted: [ServiceName];
  /** A service exited unexpectedly and stays down. */
  lost: [ServiceName, problem: string, why: string];
}

interface Member {
  readonly environment: Environment;
  child: GuardedProcess | undefined;
  restarts: number;
}

export class Processes extends EventEmitter<ProcessEvents> {
  readonly #members = new Map<ServiceName, Member>();
  readonly #stopped = new Set<ServiceName>();
  #allStopped = false;

  /** Resolves with the service's URL once it is ready. Otherwise throws with its last lines. */
  async start(name: ServiceName, environment: Environment): Promise<string> {
    const { portVariable: variable, port: fixed } = serviceOf(name);
    const port = (await isFree(fixed)) ? fixed : 0;
    const withPort = (number: number) => ({ ...environment, [variable]: String(number) });
    try {
      return await this.#launch(name, withPort(port));
    } catch (error) {
      // The port was taken after the check.
      if (port === 0 || !(error as Error).message.includes("EADDRINUSE")) throw error;
      return this.#launch(name, withPort(0));
    }
  }

  /** How often each service was restarted. */
  get restarts(): ReadonlyMap<ServiceName, number> {
    return new Map([...this.#members].map(([name, { restarts }]) => [name, restarts]));
  }

  /** Sends SIGTERM, and SIGKILL after `graceMs`. The service is not restarted. */
  async stop(name: ServiceName, graceMs = STOP_TIMEOUT_MS): Promise<void> {
    this.#stopped.add(name);
    const child = this.#members.get(name)?.child;
    if (child === undefined) return;
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await endProcess(child, "SIGTERM");
    clearTimeout(timer);
  }

  /** Stops all services. None can be started afterwards. */
  async stopAll(graceMs = STOP_TIMEOUT_MS): Promise<void> {
    this.#allStopped = true;
    await Promise.all([...this.#members.keys()].map((name) => this.stop(name, graceMs)));
  }

  #isStopped(name: ServiceName): boolean {
    return this.#allStopped || this.#stopped.has(name);
  }

  async #launch(name: ServiceName, environment: Environment, restarts = 0): Promise<string> {
    const member: Member = { environment, child: undefined, restarts };
    this.#members.set(name, member);
    if (this.#isStopped(name)) throw new Error(`${name} was stopped before it was started`);
    let url: string | undefined;
    const launched = await launch({
      name,
      main: join(ROOT, "services", name, "src/main.ts"),
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      startTimeoutMs: START_TIMEOUT_MS,
      onSpawn: (child) => {
        member.child = child;
        child.once("close", (code, signal) => {
          if (url !== undefined) this.#onEnd(name, member, url, String(code ?? signal));
        });
        // It was stopped while its process was being created.
        if (this.#isStopped(name)) void endProcess(child, "SIGKILL");
      },
      onLine: (line, record) => {
        if (record === undefined) this.emit("text", name, line);
        else this.emit("record", name, record);
      },
    });
    url = launched.url;
    if (url !== undefined) return url;
    await endProcess(launched.child, "SIGKILL");
    throw launched.error("has a ready record without a url");
  }

  /** A ready service has exited. It restarts on the same port, which is part of its consumer name. */
  #onEnd(name: ServiceName, { environment, restarts }: Member, url: string, how: string): void {
    if (this.#isStopped(name)) return;
    const { portVariable, standIn }: Row = serviceOf(name);
    const why = standIn?.loses ?? (restarts < RESTARTS_MAX ? undefined : "it was started again before");
    if (why !== undefined) {
      this.emit("lost", name, `${name} ended with ${how}`, why);
      return;
    }
    this.emit("restarting", name, how);
    const samePort = { ...environment, [portVariable]: new URL(url).port };
    this.#launch(name, samePort, restarts + 1).then(
      () => this.emit("restarted", name),
      (error: unknown) => {
        if (!this.#isStopped(name))
          this.emit("lost", name, `${name} ended with ${how}`, (error as Error).message);
      },
    );
  }
}
