/** Three Sentinels of one master, as real processes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { endProcess, spawnGuarded, type GuardedProcess } from "../processes/child-process.ts";
import { eventually } from "../processes/eventually.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";
import { LINK_PASSWORD } from "./links.ts";
import type { TestRedis } from "./redis-server.ts";

const COUNT = 3;
const QUORUM = 2;
/** Longer than a busy machine delays an answer; a failover takes some seconds. */
const DOWN_AFTER_MS = 2_000;
/** A failover that nobody wins is tried again after twice as long. */
const FAILOVER_TIMEOUT_MS = 4_000;
/** Of an election that has to be repeated, too. */
export const AGREED_WITHIN_MS = 30_000;

interface Sentinel {
  readonly port: number;
  readonly client: RedisClient;
  readonly file: string;
  process: GuardedProcess;
  isUp: boolean;
}

export class Sentinels {
  readonly #name: string;
  readonly #all: readonly Sentinel[];
  readonly #program: string;
  readonly #replicas: number;
  /** The master's port, as it was named last. */
  #named: number;

  private constructor(name: string, all: readonly Sentinel[], master: TestRedis, replicas: number) {
    this.#name = name;
    this.#all = all;
    this.#program = master.binary.path;
    this.#replicas = replicas;
    this.#named = master.port;
  }

  /** Resolves once each knows the others and the replicas: without them there is no failover. */
  static async start(
    name: string,
    { dir, master, replicas }: { dir: string; master: TestRedis; replicas: number },
    resources: AsyncDisposableStack,
  ): Promise<Sentinels> {
    const all: Sentinel[] = [];
    for (let index = 0; index < COUNT; index += 1) {
      const port = await freePort();
      const file = join(dir, `${index}.conf`);
      await configure(name, { file, port, master });
      const url = `redis://127.0.0.1:${port}`;
      const process = await launch(master.binary.path, file);
      const client = connectForCommands({
        url,
        name: "harness",
        onError: () => undefined,
        readyCheck: false,
      });
      const sentinel: Sentinel = { port, client, file, process, isUp: true };
      resources.defer(() => disconnect(client));
      resources.defer(() => endProcess(sentinel.process, "SIGKILL"));
      all.push(sentinel);
    }
    const sentinels = new Sentinels(name, all, master, replicas);
    await sentinels.#each(
      (one) => sentinels.#knowsAll(one),
      "a Sentinel that knows the others and the replicas",
    );
    return sentinels;
  }

  get ports(): number[] {
    return this.#all.map(({ port }) => port);
  }

  /** As one of them names it now, or named it last if all are killed. */
  async masterPort(): Promise<number> {
    const asked = this.#live;
    if (asked === undefined) return this.#named;
    const [, port] = (await asked.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", this.#name)) as string[];
    this.#named = Number(port);
    return this.#named;
  }

  /** Resolves once they have begun it: it is refused while the last failover is not quite over. */
  async failOver(): Promise<void> {
    const order = async () => this.#live?.call("SENTINEL", "FAILOVER", this.#name);
    await eventually(
      () => order().catch(() => undefined),
      AGREED_WITHIN_MS,
      "a failover that the Sentinels agree to",
    );
  }

  /** SIGKILL of all but this many. */
  async kill(left: number): Promise<void> {
    for (const sentinel of this.#all.slice(left)) {
      sentinel.isUp = false;
      await endProcess(sentinel.process, "SIGKILL");
    }
  }

  /** Starts those that were killed. */
  async restart(): Promise<void> {
    for (const sentinel of this.#all) {
      if (sentinel.isUp) continue;
      sentinel.process = await launch(this.#program, sentinel.file);
      await eventually(() => sentinel.client.ping().catch(() => undefined), AGREED_WITHIN_MS, "a Sentinel");
      sentinel.isUp = true;
    }
  }

  /** Until then a failover finds no replica to promote, and is given up for seconds. */
  async seeAllUp(): Promise<void> {
    await this.#each(async ({ client }) => {
      const replicas = (await client.call("SENTINEL", "REPLICAS", this.#name)) as string[][];
      const up = replicas.filter((flat) => flat[flat.indexOf("flags") + 1] === "slave");
      return up.length === this.#replicas;
    }, "a Sentinel that reaches every replica again");
  }

  get #live(): RedisClient | undefined {
    return this.#all.find(({ isUp }) => isUp)?.client;
  }

  async #knowsAll({ client }: Sentinel): Promise<boolean> {
    const flat = (await client.call("SENTINEL", "MASTER", this.#name)) as string[];
    const count = (field: string) => Number(flat[flat.indexOf(field) + 1]);
    return count("num-other-sentinels") === COUNT - 1 && count("num-slaves") === this.#replicas;
  }

  async #each(holds: (sentinel: Sentinel) => Promise<boolean>, what: string): Promise<void> {
    for (const sentinel of this.#all)
      await eventually(async () => (await holds(sentinel)) || undefined, AGREED_WITHIN_MS, what);
  }
}

/** Sentinel writes its state into this file, too. */
async function configure(
  name: string,
  { file, port, master }: { file: string; port: number; master: TestRedis },
): Promise<void> {
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `sentinel monitor ${name} 127.0.0.1 ${master.port} ${QUORUM}`,
    `sentinel auth-user ${name} sentinel`,
    `sentinel auth-pass ${name} ${LINK_PASSWORD}`,
    `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${name} ${FAILOVER_TIMEOUT_MS}`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
}

async function launch(program: string, file: string): Promise<GuardedProcess> {
  const child = await spawnGuarded(program, [file, "--sentinel"], { env: {}, ending: "watched" });
  await untilLogged(child, "sentinel", "+monitor master");
  return child;
}
