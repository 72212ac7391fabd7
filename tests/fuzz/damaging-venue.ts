/**
 * Stands between the services and the simulated exchange, and damages the bodies of its answers. The user data stream
 * passes as it is.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { damageBytes } from "./mutations.ts";

type Edits = Parameters<typeof damageBytes>[0];

export async function startDamagingVenue(venueUrl: string) {
  /** What becomes of the next answers, in order; undefined: nothing. */
  let damages: (Edits | undefined)[] = [];
  /** Orders, by client order id or by {@link orderName}, of which something wrong was said that can be read: nobody could tell. */
  const misreported = new Set<string>();
  let damaged = 0;

  const server = createServer((request, reply) => {
    const answer = async () => {
      const { method = "GET", url = "", headers } = request;
      const apiKey = String(headers["x-mbx-apikey"] ?? "");
      const told = await fetch(`${venueUrl}${url}`, { method, headers: { "x-mbx-apikey": apiKey } });
      const body = Buffer.from(await told.arrayBuffer());
      const edits = damages.shift();
      const said = edits === undefined ? body : damageBytes(edits, body);
      if (!said.equals(body)) {
        damaged += 1;
        const query = new URL(url, venueUrl).searchParams;
        const order = query.get("newClientOrderId") ?? query.get("origClientOrderId");
        const named = ordersIn(body, query.get("symbol"));
        if (isJson(said))
          for (const name of order === null ? named : [order, ...named]) misreported.add(name);
      }
      reply.writeHead(told.status, { "content-type": "application/json" }).end(said);
    };
    answer().catch(() => reply.destroy());
  });
  const streams = new Set<Socket>();
  server.on("upgrade", (request, client: Socket) => {
    const { hostname, port } = new URL(venueUrl);
    const venue = connect(Number(port), hostname);
    for (const socket of [client, venue]) {
      streams.add(socket);
      socket
        .on("error", () => undefined)
        .on("close", () => {
          streams.delete(socket);
          client.destroy();
          venue.destroy();
        });
    }
    const head = [`GET ${request.url ?? ""} HTTP/1.1`];
    for (let index = 0; index < request.rawHeaders.length; index += 2)
      head.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
    venue.write(`${head.join("\r\n")}\r\n\r\n`);
    client.pipe(venue).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    misreported,
    damage(next: readonly (Edits | undefined)[]) {
      damages = [...next];
    },
    /** Damaged so far. */
    count: () => damaged,
    async close() {
      for (const socket of streams) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** An order as lists of trades name it. */
export const orderName = (symbol: string | null, orderId: string) => `${symbol} ${orderId}`;

/** The orders that an answer tells of, alone or in a list of orders or trades. Ids are longer than JSON's numbers. */
function ordersIn(body: Buffer, symbol: string | null): string[] {
  const found = [...body.toString().matchAll(/"(clientOrderId|orderId)":"?([^",}]+)/g)];
  return found.map(([, field, value = ""]) => (field === "orderId" ? orderName(symbol, value) : value));
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}
