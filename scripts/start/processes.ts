/** The services as child processes: started on their fixed ports where free, heard, and ended with this process. */
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, type GuardedProcess, isFree, type LogRecord, spawnGuarded } from "@quantum/testkit";
import { type Environment, PORTS, type ServiceName } from "./services.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Compiled code of earlier starts: halves the time that a service needs to be ready. */
const COMPILE_CACHE = join(ROOT, ".cache/node");
/** Several processes start at once, perhaps on one core. */
const START_TIMEOUT_MS = 60_000;
/** Services stop within their own deadline; this is for one that hangs. */
const STOP_TIMEOUT_MS = 5_000;
/** What an error shows of the service's output. */
const SHOWN_LINES = 10;

export interface ProcessEvents {
  record: [ServiceName, LogRecord];
  /** A line that is no log record, such as a stack trace of the runtime. */
  text: [ServiceName, string];
  /** One ended although nobody asked it to. */
  lost: [ServiceName, string];
}

export class Processes extends EventEmitter<ProcessEvents> {
  readonly #children = new Map<ServiceName, GuardedProcess>();
  readonly #ending = new Set<GuardedProcess>();

  /** Resolves with the service's URL once it is ready. Throws with its last lines if it is not. */
  async start(name: ServiceName, environment: Environment): Promise<string> {
    const { variable, fixed } = PORTS[name];
    const port = (await isFree(fixed)) ? fixed : 0;
    try {
      return await this.#launch(name, { ...environment, [variable]: String(port) });
    } catch (error) {
      // Somebody took the port after the look at it.
      if (port === 0 || !(error as Error).message.includes("EADDRINUSE")) throw error;
      return this.#launch(name, { ...environment, [variable]: "0" });
    }
  }

  async stop(name: ServiceName): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    this.#children.delete(name);
    this.#ending.add(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await endProcess(child, "SIGTERM");
    clearTimeout(timer);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((name) => this.stop(name)));
  }

  async #launch(name: ServiceName, environment: Environment): Promise<string> {
    const child = await spawnGuarded(process.execPath, [join(ROOT, "services", name, "src/main.ts")], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment },
    });
    this.#children.set(name, child);
    const lines: string[] = [];
    const ready = Promise.withResolvers<string>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > SHOWN_LINES) lines.shift();
        const record = parseRecord(line);
        if (record === undefined) this.emit("text", name, line);
        else this.emit("record", name, record);
        if (record?.msg.startsWith("ready") && typeof record["url"] === "string")
          ready.resolve(record["url"]);
      });
    }
    let isReady = false;
    const problem = (what: string) => `${name} ${what}; its last lines:\n${lines.join("\n")}`;
    child.once("close", (code, signal) => {
      const what = problem(`ended with ${code ?? signal}`);
      if (isReady && !this.#ending.has(child)) this.emit("lost", name, what);
      ready.reject(new Error(what));
    });
    const timer = setTimeout(
      () => ready.reject(new Error(problem(`was not ready within ${START_TIMEOUT_MS / 1000} s`))),
      START_TIMEOUT_MS,
    );
    try {
      const url = await ready.promise;
      isReady = true;
      return url;
    } catch (error) {
      await this.stop(name);
      throw error;
    } finally {
      clearTimeout(timer);
    }
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
