/**
 * A master, its replicas and three Sentinels, as real processes. Replicas and Sentinels log in as users of their own: to
 * cut their links to a server, and no client's, these users lose their rights.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { endProcess, spawnGuarded, type GuardedProcess } from "../processes/child-process.ts";
import { eventually } from "../processes/eventually.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";
import { startRedisServer, type TestRedis } from "./redis-server.ts";
import { haveReplicas } from "./followers.ts";
import { allow, LINK_PASSWORD, refuse } from "./links.ts";
import { urlOfUser } from "./redis-users.ts";

export interface ReplicatedRedisOptions {
  /** Default 2. */
  replicas?: number;
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
  /** Below it are the servers' data folders, kept by stop(). Default: temporary ones. */
  dir?: string;
  /** Whether somebody without a name may do everything. Default true. */
  defaultUser?: boolean;
  /** Settings of redis.conf for every server, by name. */
  config?: Record<string, string>;
}

export interface ReplicatedRedis {
  /** The name by which the Sentinels know the master. */
  readonly name: string;
  /** For example `redis+sentinel://127.0.0.1:20123,127.0.0.1:20124,127.0.0.1:20125/quantum`. */
  readonly url: string;
  readonly sentinelPorts: readonly number[];
  /** The port of the server that the Sentinels name now. */
  masterPort(): Promise<number>;
  /** Of the server on this port. */
  pidOf(port: number): number;
  /** SIGKILL of the master. Resolves once another server is master, with its port. */
  killMaster(): Promise<number>;
  /** An ordered failover. Resolves once another server is master, with its port. */
  promote(): Promise<number>;
  /** The replicas get nothing more from the master, until {@link heal}. */
  cutReplication(): Promise<void>;
  /**
   * Its replicas and the Sentinels no longer reach the master, its clients do, until {@link heal}. Resolves at once; the
   * Sentinels choose another master soon after.
   */
  isolateMaster(): Promise<void>;
  /** Resolves once the Sentinels name another master than this one, and it is one, with its port. */
  untilReplaced(port: number): Promise<number>;
  /** SIGKILL of every replica. */
  killReplicas(): Promise<void>;
  /** Starts what was killed, ends what was cut, and waits until every replica follows the master. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "quantum";
const SENTINELS = 3;
const QUORUM = 2;
/** Longer than a busy machine delays an answer; a failover takes some seconds. */
const DOWN_AFTER_MS = 2_000;
/** A failover that nobody wins is tried again after twice as long. */
const FAILOVER_TIMEOUT_MS = 4_000;
/** Of an election that has to be repeated, too. */
const REPLACED_WITHIN_MS = 30_000;
interface Node {
  readonly server: TestRedis;
  /** Through which this process orders it about. */
  readonly client: RedisClient;
  isUp: boolean;
}

export async function startReplicatedRedis(options: ReplicatedRedisOptions = {}): Promise<ReplicatedRedis> {
  await using started = new AsyncDisposableStack();
  const nodes: Node[] = [];
  for (let replica = 0; replica <= (options.replicas ?? 2); replica += 1) {
    const server = await startRedisServer({
      partitions: options.partitions ?? 1,
      defaultUser: options.defaultUser ?? true,
      ...(options.dir !== undefined && { dir: await folderIn(options.dir, `server-${replica}`) }),
      config: {
        masteruser: "replica",
        masterauth: LINK_PASSWORD,
        // By default a master waits 5 s for more replicas before it sends its data.
        "repl-diskless-sync-delay": "0",
        ...options.config,
      },
    });
    started.defer(() => server.stop());
    const client = connectForCommands({
      url: urlOfUser(server.url, "admin"),
      name: "harness",
      onError: () => undefined,
    });
    started.defer(() => disconnect(client));
    nodes.push({ server, client, isUp: true });
    await allow(client, "replica");
    await allow(client, "sentinel");
  }
  const [first] = nodes as [Node];
  await follow(nodes, () => Promise.resolve(first));

  const dir =
    options.dir === undefined ? await temporaryFolder(started) : await folderIn(options.dir, "sentinels");
  const sentinels: { port: number; client: RedisClient }[] = [];
  for (let index = 0; index < SENTINELS; index += 1) {
    const port = await freePort();
    const child = await startSentinel(first.server, join(dir, `${index}.conf`), port);
    started.defer(() => endProcess(child, "SIGKILL"));
    const url = `redis://127.0.0.1:${port}`;
    const client = connectForCommands({ url, name: "harness", onError: () => undefined, readyCheck: false });
    started.defer(() => disconnect(client));
    sentinels.push({ port, client });
  }
  const [asked] = sentinels as [(typeof sentinels)[number]];
  const masterPort = async () => {
    const [, port] = (await asked.client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)) as string[];
    return Number(port);
  };
  const nodeAt = (port: number): Node => {
    const node = nodes.find(({ server }) => server.port === port);
    if (node === undefined) throw new Error(`no server of this set listens on ${port}`);
    return node;
  };
  const untilReplaced = (port: number) =>
    eventually(
      async () => {
        const now = await masterPort();
        if (now === port) return undefined;
        const [role] = (await nodeAt(now).client.role()) as string[];
        return role === "master" ? now : undefined;
      },
      REPLACED_WITHIN_MS,
      `another master than ${port}`,
    );
  // A failover needs the other Sentinels and the replicas, which a Sentinel finds by itself.
  const knowsAll = async ({ client }: (typeof sentinels)[number]) => {
    const flat = (await client.call("SENTINEL", "MASTER", NAME)) as string[];
    const count = (field: string) => Number(flat[flat.indexOf(field) + 1]);
    return count("num-other-sentinels") === SENTINELS - 1 && count("num-slaves") === nodes.length - 1;
  };
  for (const sentinel of sentinels) {
    await eventually(
      async () => (await knowsAll(sentinel)) || undefined,
      REPLACED_WITHIN_MS,
      "a Sentinel that knows the others and the replicas",
    );
  }

  // Until then a failover finds no replica to promote, and is given up for seconds.
  const seesAllUp = async ({ client }: (typeof sentinels)[number]) => {
    const replicas = (await client.call("SENTINEL", "REPLICAS", NAME)) as string[][];
    const up = replicas.filter((flat) => flat[flat.indexOf("flags") + 1] === "slave");
    return up.length === nodes.length - 1;
  };

  const resources = started.move();
  const kill = async (node: Node) => {
    node.isUp = false;
    await node.server.kill();
  };
  return {
    name: NAME,
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join()}/${NAME}`,
    sentinelPorts: sentinels.map(({ port }) => port),
    masterPort,
    pidOf: (port) => nodeAt(port).server.pid,
    untilReplaced,
    async killMaster() {
      const port = await masterPort();
      await kill(nodeAt(port));
      return untilReplaced(port);
    },
    async promote() {
      const port = await masterPort();
      // Refused while the last failover is not quite over.
      await eventually(
        () => asked.client.call("SENTINEL", "FAILOVER", NAME).catch(() => undefined),
        REPLACED_WITHIN_MS,
        "a failover that the Sentinels agree to",
      );
      return untilReplaced(port);
    },
    async cutReplication() {
      await refuse(nodeAt(await masterPort()).client, "replica");
    },
    async isolateMaster() {
      const { client } = nodeAt(await masterPort());
      await refuse(client, "replica");
      await refuse(client, "sentinel");
    },
    async killReplicas() {
      const port = await masterPort();
      await Promise.all(nodes.filter(({ server }) => server.port !== port).map(kill));
    },
    async heal() {
      for (const node of nodes) {
        if (!node.isUp) {
          await node.server.restart();
          await eventually(() => node.client.ping().catch(() => undefined), REPLACED_WITHIN_MS, "a restart");
        }
        node.isUp = true;
        await allow(node.client, "replica");
        await allow(node.client, "sentinel");
      }
      await follow(nodes, async () => nodeAt(await masterPort()));
      for (const sentinel of sentinels) {
        await eventually(
          async () => (await seesAllUp(sentinel)) || undefined,
          REPLACED_WITHIN_MS,
          "a Sentinel that reaches every replica again",
        );
      }
    },
    stop: () => resources.disposeAsync(),
  };
}

async function temporaryFolder(started: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "quantum-sentinel-"));
  started.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function folderIn(dir: string, name: string): Promise<string> {
  const folder = join(dir, name);
  await mkdir(folder, { recursive: true });
  return folder;
}

async function startSentinel(master: TestRedis, file: string, port: number): Promise<GuardedProcess> {
  // Sentinel writes its state into this file.
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
    `sentinel auth-user ${NAME} sentinel`,
    `sentinel auth-pass ${NAME} ${LINK_PASSWORD}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} ${FAILOVER_TIMEOUT_MS}`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const child = await spawnGuarded(master.binary.path, [file, "--sentinel"], { env: {}, ending: "watched" });
  await untilLogged(child, "sentinel", "+monitor master");
  return child;
}

/**
 * A server that was master until now loses what its new master does not have. Asks for the master again and again: an
 * election may still be going on.
 */
async function follow(nodes: readonly Node[], masterNow: () => Promise<Node>): Promise<void> {
  const isDone = async () => {
    const master = await masterNow();
    for (const { client, server } of nodes) {
      if (server.port === master.server.port) continue;
      const [role, , port] = (await client.role()) as [string, string, number];
      if (role !== "slave" || port !== master.server.port)
        await client.replicaof("127.0.0.1", master.server.port);
    }
    return await haveReplicas(master.client, nodes.length - 1);
  };
  await eventually(
    async () => (await isDone()) || undefined,
    REPLACED_WITHIN_MS,
    "replicas that follow the master",
  );
}
