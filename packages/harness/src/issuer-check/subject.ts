/** The issuer under check: any command, in any language, told by its environment alone where it is. */
import { join } from "node:path";
import { privateKeyFile, SERVICES, demonstrationOf, signingKeyVariable, userOf } from "@quantum/topology";
import { endProcess, type GuardedProcess, spawnGuarded } from "../processes/child-process.ts";
import { patienceMs } from "../processes/patience.ts";
import { urlOfUser } from "../servers/redis-users.ts";

export interface SubjectOptions {
  issuer: string;
  command: readonly string[];
  /** Variables beside those of the check. */
  env: Readonly<Record<string, string>>;
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
}

/** What signed permits say of the scratch world. Any loopback address is a simulated venue, and nobody asks it. */
export const WORLD = { venueUrl: "http://127.0.0.1:1", venue: "simulated", account: "main", mode: "paper" };
const STOP_MS = 10_000;
const SHOWN_LINES = 12;
/** What commands need to be found and run at all. */
const INHERITED = ["PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV"];

export class Subject {
  readonly #command: readonly string[];
  readonly #env: Record<string, string>;
  readonly #running = new Map<string, GuardedProcess>();
  #output = "";

  constructor(
    { issuer, command, env, partitions = 1 }: SubjectOptions,
    place: { redisUrl: string; keysFolder: string; symbols: readonly string[] },
  ) {
    this.#command = command;
    this.#env = { ...environmentOf(issuer, { ...place, partitions }), ...env };
  }

  /** Starts an instance, unless it runs. The same name is the same instance after a restart. */
  async start(instance = "first"): Promise<void> {
    const [program = "", ...args] = this.#command;
    if (this.#running.has(instance)) return;
    const child = await spawnGuarded(program, args, {
      env: { ...this.#env, INSTANCE: instance },
      ending: "watched",
    });
    this.#running.set(instance, child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => (this.#output = `${this.#output}${String(text)}`.slice(-8_000)));
    }
    child.once("exit", () => this.#running.delete(instance));
  }

  isRunning(instance = "first"): boolean {
    return this.#running.has(instance);
  }

  async kill(instance = "first"): Promise<void> {
    const child = this.#running.get(instance);
    if (child !== undefined) await endProcess(child, "SIGKILL");
  }

  /** @returns false if it had to be killed */
  async stop(instance = "first"): Promise<boolean> {
    const child = this.#running.get(instance);
    if (child === undefined) return true;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, patienceMs(STOP_MS));
    await endProcess(child, "SIGTERM");
    clearTimeout(timer);
    return !late;
  }

  /** To all instances. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    for (const child of this.#running.values()) child.kill(signal);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((instance) => this.kill(instance)));
  }

  get lastLines(): string {
    return this.#output.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
  }
}

function environmentOf(
  issuer: string,
  {
    redisUrl,
    keysFolder,
    symbols,
    partitions,
  }: { redisUrl: string; keysFolder: string; symbols: readonly string[]; partitions: number },
): Record<string, string> {
  const row = SERVICES.find((service) => service.issuer?.name === issuer);
  const prefix = `${issuer.toUpperCase()}_`;
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const common = {
    ...Object.fromEntries(inherited),
    REDIS_URL: urlOfUser(redisUrl, row === undefined ? issuer : userOf(row)),
    BINANCE_BASE_URL: WORLD.venueUrl,
    QUANTUM_ACCOUNT: WORLD.account,
    PARTITIONS: String(partitions),
  };
  if (row === undefined) {
    return {
      ...common,
      SYMBOLS: symbols.join(),
      [signingKeyVariable({ envPrefixes: [prefix] })]: join(keysFolder, privateKeyFile(issuer)),
      [`${prefix}METRICS_PORT`]: "0",
    };
  }
  const place = {
    redisUrl,
    venueUrl: WORLD.venueUrl,
    symbols,
    keysFolder,
    stateFolder: keysFolder,
  };
  return { ...demonstrationOf(row, place), ...common, [row.portVariable]: "0" };
}
