/** What a node of a Redis Cluster says of the others. */
export interface ClusterNode {
  readonly id: string;
  readonly port: number;
  /** The id of the master that it follows; undefined for a master. */
  readonly masterId: string | undefined;
  /** Whether the others consider it lost. */
  readonly isFailed: boolean;
  /** Both ends belong to the range. A replica has none. */
  readonly slots: readonly { readonly from: number; readonly to: number }[];
}

/** The reply of CLUSTER NODES: `id host:port@bus flags master ping pong epoch link [slot|from-to|[moving slot]]…` */
export function parseNodes(reply: string): ClusterNode[] {
  return reply
    .trim()
    .split("\n")
    .map((line) => {
      const [id = "", address = "", flags = "", masterId = "-", , , , , ...slots] = line.split(" ");
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        masterId: masterId === "-" ? undefined : masterId,
        isFailed: /\bfail/.test(flags),
        slots: slots.filter((range) => !range.startsWith("[")).map(parseRange),
      };
    });
}

function parseRange(range: string): { from: number; to: number } {
  const [from = "", to = from] = range.split("-");
  return { from: Number(from), to: Number(to) };
}
