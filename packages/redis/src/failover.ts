/**
 * How soon a master that is lost is replaced, as those say who would do it; docs/adr/0013. Sources: sentinel.conf and
 * redis.conf of 7.0, https://redis.io/docs/latest/commands/sentinel-master/, cluster-nodes.
 */
import type { RedisClient } from "./client.ts";
import { COMMAND_DEADLINE_MS, connectForCommands, disconnect, withDeadline } from "./connection.ts";
import { ifOffered, isolatable, type RedisFacts } from "./preflight.ts";
import { type Address, type SentinelUrl, writeAddress, writeRedisUrl } from "./url.ts";

/** Settings are text, as they were answered; undefined: this user may not read them. */
export type Failover =
  | {
      readonly by: "sentinel";
      /** Each has settings of its own. */
      readonly sentinels: readonly SentinelSettings[];
      /** Of this master, away or not. */
      readonly replicas: number;
    }
  | {
      readonly by: "cluster";
      readonly nodeTimeoutMs: string | undefined;
      readonly replicas: number;
    };

interface SentinelSettings {
  readonly address: string;
  readonly downAfterMs: string | undefined;
  readonly failoverTimeoutMs: string | undefined;
}

/**
 * Asks those that would replace the master of this connection. Undefined: nobody would.
 * @throws if nobody of them answers
 */
export async function readFailover(client: RedisClient): Promise<Failover | undefined> {
  const { url } = client;
  if (url?.kind === "sentinel") return await askSentinels(url);
  return url?.kind === "cluster" ? await askNode(client) : undefined;
}

async function askSentinels(url: SentinelUrl): Promise<Failover> {
  const asked = await Promise.allSettled(url.sentinels.map((address) => askSentinel(url, address)));
  const answers = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  if (answers.length === 0) {
    const errors = asked.flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason as unknown] : [],
    );
    throw new AggregateError(errors, "no Sentinel answers how it would replace the master");
  }
  return {
    by: "sentinel",
    sentinels: answers.map(({ settings }) => settings),
    replicas: Math.max(...answers.map(({ replicas }) => replicas)),
  };
}

async function askSentinel(url: SentinelUrl, address: Address) {
  const { tls, family, sentinelUser: user, sentinelPassword: password } = url;
  const place = writeRedisUrl({ kind: "server", tls, family, user, password, address, database: 0 });
  const client = connectForCommands({
    url: place,
    name: "failover-times",
    onError: () => undefined,
    readyCheck: false,
  });
  try {
    const asked = client.call("SENTINEL", "MASTER", url.name) as Promise<string[]>;
    const flat = await withDeadline(asked, COMMAND_DEADLINE_MS, `Sentinel ${writeAddress(address)}`);
    const field = (name: string) => {
      const at = flat.indexOf(name);
      return at === -1 ? undefined : flat[at + 1];
    };
    const settings: SentinelSettings = {
      address: writeAddress(address),
      downAfterMs: field("down-after-milliseconds"),
      failoverTimeoutMs: field("failover-timeout"),
    };
    return { settings, replicas: Number(field("num-slaves")) };
  } finally {
    await disconnect(client);
  }
}

async function askNode(client: RedisClient): Promise<Failover> {
  const [setting, nodes] = await Promise.all([
    ifOffered(client.config("GET", "cluster-node-timeout")) as Promise<string[] | undefined>,
    client.call("CLUSTER", "NODES") as Promise<string>,
  ]);
  const rows = nodes.split("\n").map((line) => line.split(" "));
  const own = rows.find(([, , flags = ""]) => flags.split(",").includes("myself"))?.[0];
  return {
    by: "cluster",
    nodeTimeoutMs: setting?.[1],
    replicas: rows.filter(([, , , masterId]) => masterId !== undefined && masterId === own).length,
  };
}

// What follows is written so that what cannot be read as a number is refused.

/** Until then nobody looks for another master, and no order leaves, not even an operator's exit. */
const DOWN_AFTER_MAX_MS = 10_000;
/** A failover that nobody wins is tried again after twice as long. */
const FAILOVER_TIMEOUT_MAX_MS = 60_000;
/** Redis's default. For so long a master that is cut off from the others takes claims. */
const NODE_TIMEOUT_MAX_MS = 15_000;

/** Why a lost master is not replaced in time, or goes on to take claims: with real orders, a reason not to start. */
export function notReplacedInTime(failover: Failover | undefined, facts: RedisFacts): string[] {
  if (failover === undefined) return [];
  // While its replicas are away, it does not know of them.
  const unknown = facts.replicas === 0 ? isolatable({ ...facts, replicas: failover.replicas }) : [];
  if (failover.by === "cluster") {
    const { nodeTimeoutMs } = failover;
    // Not offered to this user, as notDurable() says.
    if (nodeTimeoutMs === undefined || isUpTo(nodeTimeoutMs, NODE_TIMEOUT_MAX_MS)) return unknown;
    return [
      ...unknown,
      `cluster-node-timeout is ${nodeTimeoutMs}: for so long a master that is cut off takes claims, at most ${NODE_TIMEOUT_MAX_MS} is allowed`,
    ];
  }
  return [
    ...unknown,
    ...failover.sentinels.flatMap(({ address, downAfterMs, failoverTimeoutMs }) => [
      ...(isUpTo(downAfterMs, DOWN_AFTER_MAX_MS)
        ? []
        : [
            `down-after-milliseconds of Sentinel ${address} is ${downAfterMs}: for so long it does not replace a lost master, at most ${DOWN_AFTER_MAX_MS} is allowed`,
          ]),
      ...(isUpTo(failoverTimeoutMs, FAILOVER_TIMEOUT_MAX_MS)
        ? []
        : [
            `failover-timeout of Sentinel ${address} is ${failoverTimeoutMs}: it repeats a failover after twice as long, at most ${FAILOVER_TIMEOUT_MAX_MS} is allowed`,
          ]),
    ]),
  ];
}

function isUpTo(setting: string | undefined, most: number): boolean {
  return Number(setting) >= 1 && Number(setting) <= most;
}
