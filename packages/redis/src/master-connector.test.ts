import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForCommands, disconnect } from "./connection.ts";
import { Guides } from "./guides.ts";

/** The first byte of a TLS connection: a handshake record. Source: RFC 8446, 5.1. */
const HANDSHAKE = 0x16;

afterEach(() => vi.restoreAllMocks());

/** @returns its port, and the first byte that it is sent */
async function givenListener() {
  const first = Promise.withResolvers<number | undefined>();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (data) => {
      first.resolve(data[0]);
      socket.destroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, first: first.promise };
}

function connect(url: string) {
  const client = connectForCommands({ url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

describe.each([
  ["rediss+sentinel", "/quantum"],
  ["rediss+cluster", ""],
])("%s", (scheme, path) => {
  it("speaks TLS to those who know the master", async () => {
    const { port, first } = await givenListener();
    connect(`${scheme}://127.0.0.1:${port}${path}`);
    expect(await first).toBe(HANDSHAKE);
  });

  it("speaks TLS to the master", async () => {
    const { port, first } = await givenListener();
    const address = { host: "127.0.0.1", port };
    vi.spyOn(Guides.prototype, "ask").mockResolvedValue([{ from: 0, to: 16_383, address, epoch: 1 }]);
    connect(`${scheme}://127.0.0.1:1${path}`);
    expect(await first).toBe(HANDSHAKE);
  });
});

describe("disconnect", () => {
  const urls = ["redis+sentinel://127.0.0.1:1/quantum", "redis+cluster://127.0.0.1:1"];

  it.each(urls)("ends a connection that still looks for its master: %s", async (url) => {
    vi.spyOn(Guides.prototype, "ask").mockReturnValue(new Promise(() => undefined));
    const client = connect(url);
    const answer = client.ping().catch(({ message }: Error) => message);
    await disconnect(client);
    expect([client.status, await answer]).toEqual(["end", "Connection is closed."]);
    expect(client.problem).toBeUndefined();
  });

  it.each(urls)("ends a connection between two attempts: %s", async (url) => {
    const client = connect(url);
    await new Promise((resolve) => client.once("reconnecting", resolve));
    await disconnect(client);
    expect(client.status).toBe("end");
  });
});
