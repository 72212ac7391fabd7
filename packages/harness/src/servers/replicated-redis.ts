/**
 * A master, its replicas and three Sentinels, as real processes. Replicas and Sentinels log in as users of their own: to
 * cut their links to a server, and no client's, these users lose their rights.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { eventually } from "../processes/eventually.ts";
import { startRedisServer, type TestRedis } from "./redis-server.ts";
import { haveReplicas } from "./followers.ts";
import { allow, LINK_PASSWORD, refuse } from "./links.ts";
import { urlOfUser } from "./redis-users.ts";
import { AGREED_WITHIN_MS, Sentinels } from "./sentinels.ts";

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
  /** The port of the server that the Sentinels name now, or named last if all of them are killed. */
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
  /** SIGKILL of all Sentinels but this many, until {@link startSentinels} or {@link heal}. */
  killSentinels(left: number): Promise<void>;
  startSentinels(): Promise<void>;
  /** Starts what was killed, ends what was cut, and waits until every replica follows the master. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "quantum";

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
  const sentinels = await Sentinels.start(
    NAME,
    { dir, master: first.server, replicas: nodes.length - 1 },
    started,
  );
  const masterPort = () => sentinels.masterPort();
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
      AGREED_WITHIN_MS,
      `another master than ${port}`,
    );
  const resources = started.move();
  const kill = async (node: Node) => {
    node.isUp = false;
    await node.server.kill();
  };
  return {
    name: NAME,
    url: `redis+sentinel://${sentinels.ports.map((port) => `127.0.0.1:${port}`).join()}/${NAME}`,
    sentinelPorts: sentinels.ports,
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
      await sentinels.failOver();
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
    killSentinels: (left) => sentinels.kill(left),
    startSentinels: () => sentinels.restart(),
    async heal() {
      await sentinels.restart();
      for (const node of nodes) {
        if (!node.isUp) {
          await node.server.restart();
          await eventually(() => node.client.ping().catch(() => undefined), AGREED_WITHIN_MS, "a restart");
        }
        node.isUp = true;
        await allow(node.client, "replica");
        await allow(node.client, "sentinel");
      }
      await follow(nodes, async () => nodeAt(await masterPort()));
      await sentinels.seeAllUp();
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
    AGREED_WITHIN_MS,
    "replicas that follow the master",
  );
}
