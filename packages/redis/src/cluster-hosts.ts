/**
 * ioredis's client for a cluster passes over nodes that do not tell their host, and then finds none: a node that has met no other, and
 * those whose `cluster-preferred-endpoint-type` is unknown-endpoint. Redis means the host that was asked.
 * Source: https://redis.io/docs/latest/commands/cluster-slots/ (7.0), ioredis 5.11 (lib/cluster/index.ts, getInfoFromNode).
 */
import type { Cluster, Redis, RedisOptions } from "ioredis";
import type { SlotNode, SlotRange } from "./masters.ts";

type Answer = (error: Error | null, slots?: SlotRange[]) => void;
type Asking = Pick<Redis, "disconnect"> & {
  on: (event: "error", listener: () => void) => unknown;
  cluster: (subcommand: "SLOTS", answer: Answer) => unknown;
};
/** What of a node the client uses to ask it. */
interface Asked {
  readonly options: Pick<RedisOptions, "host">;
  duplicate: (override?: Partial<RedisOptions>) => Asking;
}
/** Private in its types. */
interface AsksNodes {
  getInfoFromNode: (node: Asked | undefined, done: (error?: Error) => void) => void;
}

/** From its next question on; the first one is not asked in the turn that made the client. */
export function fillHosts(cluster: Cluster): void {
  const client = cluster as unknown as AsksNodes;
  const ask = client.getInfoFromNode.bind(cluster);
  client.getInfoFromNode = (node, done) => ask(node && tellingHosts(node), done);
}

function tellingHosts(node: Asked): Asked {
  const { options } = node;
  const told = ([host, ...rest]: SlotNode): SlotNode => [
    host === null || host === "" ? (options.host ?? null) : host,
    ...rest,
  ];
  return {
    options,
    duplicate: (override) => {
      const asking = node.duplicate(override);
      const cluster = asking.cluster.bind(asking);
      asking.cluster = (subcommand, answer) =>
        cluster(subcommand, (error, slots) =>
          answer(
            error,
            slots?.map(([from, to, master, ...replicas]) => [from, to, told(master), ...replicas.map(told)]),
          ),
        );
      return asking;
    },
  };
}

/** For ioredis's `natMap`: MOVED and ASK of such a node name a port alone, and it would look on its own machine. */
export function hostsOf(host: string): (node: string) => { host: string; port: number } | null {
  return (node) => {
    const [, port] = /^:(\d+)$/.exec(node) ?? [];
    return port === undefined ? null : { host, port: Number(port) };
  };
}
