/**
 * The links between a cluster's nodes, led through this process, so that one node can be cut off while its clients still
 * reach it. Each node opens its links from a loopback address of its own, which says whose they are. Only Linux has such
 * addresses without any set-up.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

const LOOPBACK = "127.0.0.1";
/** The last number of the first node's address. */
const FIRST = 11;

interface Link {
  readonly from: number;
  readonly to: number;
  readonly sockets: readonly Socket[];
}

export class ClusterBus {
  readonly #servers: Server[] = [];
  readonly #links = new Set<Link>();
  readonly #cutOff = new Set<number>();

  /** The address from which this node opens its links. */
  addressOf(node: number): string {
    return `127.0.0.${FIRST + node}`;
  }

  /** @returns the port by which the other nodes reach this one, which listens on `busPort` */
  async leadTo(node: number, busPort: number): Promise<number> {
    const server = createServer((socket) => this.#link(socket, node, busPort));
    this.#servers.push(server);
    await once(server.listen(0, LOOPBACK), "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
    return address.port;
  }

  /** Ends the node's links, and lets it have none until {@link heal}. */
  cutOff(node: number): void {
    this.#cutOff.add(node);
    for (const { from, to, sockets } of this.#links)
      if (from === node || to === node) for (const socket of sockets) socket.destroy();
  }

  heal(): void {
    this.#cutOff.clear();
  }

  async close(): Promise<void> {
    for (const { sockets } of this.#links) for (const socket of sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => once(server.close(), "close")));
  }

  #link(client: Socket, to: number, busPort: number): void {
    const from = Number(client.remoteAddress?.split(".").at(-1)) - FIRST;
    if (this.#cutOff.has(from) || this.#cutOff.has(to)) {
      client.destroy();
      return;
    }
    const target = connect(busPort, LOOPBACK);
    const link = { from, to, sockets: [client, target] };
    this.#links.add(link);
    const end = () => {
      client.destroy();
      target.destroy();
      this.#links.delete(link);
    };
    // The nodes see that a link has ended, and open another one.
    for (const socket of link.sockets) socket.on("error", end).on("close", end);
    client.pipe(target).pipe(client);
  }
}
