import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request, Agent, type Server } from "node:http";
import type { Socket } from "node:net";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type FaultProxy, type FaultProxyOptions, type ProxyFrame, startFaultProxy } from "./fault-proxy.ts";
import { startRedisServer, type TestRedis } from "../servers/redis-server.ts";

const LONG_MS = 5_000;

async function proxyTo(port: number, options: Partial<FaultProxyOptions> = {}): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ upstream: { port }, ...options });
  onTestFinished(() => proxy.close());
  return proxy;
}

describe("a fault proxy in front of Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis.stop());

  function clientOf({ port }: FaultProxy): RedisClient {
    const client = connectForCommands({
      url: `redis://127.0.0.1:${port}`,
      name: "proxied",
      onError: () => undefined,
    });
    onTestFinished(() => disconnect(client));
    return client;
  }

  it("passes what it is given", async () => {
    const client = clientOf(await proxyTo(redis.port));
    const long = "x".repeat(1_000_000);
    await client.set("long", long);
    expect(await client.get("long")).toBe(long);
  });

  it("resets connections, which clients replace", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.ping();
    const closed = new Promise((resolve) => client.once("close", resolve));
    proxy.reset();
    await closed;
    expect(await client.ping()).toBe("PONG");
  });

  it("leads to another server from now on", async () => {
    const other = await startRedisServer();
    onTestFinished(() => other.stop());
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.set("where", "first");
    const closed = new Promise((resolve) => client.once("close", resolve));
    proxy.lead(other.port);
    await closed;
    expect(await client.get("where")).toBeNull();
  });

  it("cuts a reply in the middle", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.set("key", "value");
    const closed = new Promise((resolve) => client.once("close", resolve));
    proxy.resetInReply();
    const answer = client.incr("count");
    await closed;
    // The client repeats the command on its next connection, so Redis has counted twice.
    expect(await answer).toBe(2);
  });

  it("takes and answers nothing on half-open connections; new ones work", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.ping();
    proxy.halfOpen();
    await expect(client.set("lost", "1")).rejects.toThrow("timed out");
    expect(await clientOf(proxy).get("lost")).toBeNull();
  });

  it("holds everything back while stalled", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.ping();
    proxy.stall();
    let answered = false;
    const answer = client.set("stalled", "1").finally(() => {
      answered = true;
    });
    expect(await clientOf(await proxyTo(redis.port)).get("stalled")).toBeNull();
    expect(answered).toBe(false);
    proxy.heal();
    expect(await answer).toBe("OK");
  });

  it("delays, and keeps the order", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.ping();
    proxy.delay(30);
    const start = performance.now();
    expect(await Promise.all([client.incr("order"), client.incr("order")])).toEqual([1, 2]);
    expect(performance.now() - start).toBeGreaterThan(50);
  });

  it("cuts off and heals", async () => {
    const proxy = await proxyTo(redis.port);
    const client = clientOf(proxy);
    await client.ping();
    proxy.cutOff();
    await expect(client.ping()).rejects.toThrow(/closed|ECONNRESET|retries/);
    expect(proxy.connections).toBe(0);
    proxy.heal();
    expect(await client.ping()).toBe("PONG");
  });

  it("shows each command and reply, with the names of scripts, and lets them be dropped", async () => {
    const source = "return redis.call('SET', KEYS[1], ARGV[1])";
    const sha = createHash("sha1").update(source).digest("hex");
    const frames: ProxyFrame[] = [];
    const proxy = await proxyTo(redis.port, {
      protocol: "resp",
      scripts: new Map([[sha, "orders/claim"]]),
      onFrame: (frame) => {
        if (!/^(EVAL|GET)/.test(frame.summary)) return "pass";
        frames.push(frame);
        return frame.direction === "reply" && frame.summary.startsWith("EVAL ") ? "drop" : "pass";
      },
    });
    const client = clientOf(proxy);
    await expect(client.evalsha(sha, 1, "key", "1")).rejects.toThrow("NOSCRIPT");
    await expect(client.eval(source, 1, "key", "1")).rejects.toThrow("timed out");
    expect(await clientOf(await proxyTo(redis.port)).get("key")).toBe("1");
    expect(frames.map(({ direction, summary }) => `${direction} ${summary}`)).toEqual([
      "request EVALSHA orders/claim key",
      "reply EVALSHA orders/claim key",
      "request EVAL orders/claim key",
      "reply EVAL orders/claim key",
    ]);
  });

  it("counts frames of all connections, and holds a connection from one of them on", async () => {
    const indexes: number[] = [];
    const proxy = await proxyTo(redis.port, {
      protocol: "resp",
      onFrame: ({ direction, index, summary }) => {
        if (direction === "request") indexes.push(index);
        return summary === "SET held" ? "hold" : "pass";
      },
    });
    const client = clientOf(proxy);
    await expect(client.set("held", "1")).rejects.toThrow("timed out");
    const other = clientOf(proxy);
    expect(await other.get("held")).toBeNull();
    expect(indexes).toEqual(indexes.map((_, position) => position + 1));
  });
});

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("a fault proxy in front of an HTTP server", () => {
  it.each([
    ["of a known length", (body: string) => ({ "content-length": String(body.length) })],
    ["in chunks", () => ({})],
  ])("shows each request and answer %s", async (_, headersOf) => {
    const server = createServer((incoming, outgoing) => {
      incoming.resume().once("end", () => {
        const body = "x".repeat(100_000);
        outgoing.writeHead(incoming.url === "/missing" ? 404 : 200, headersOf(body));
        outgoing.write(body.slice(0, 10));
        outgoing.end(body.slice(10));
      });
    });
    const frames: string[] = [];
    const proxy = await proxyTo(await listening(server), {
      protocol: "http",
      onFrame: ({ direction, index, summary }) => {
        frames.push(`${direction} ${index} ${summary}`);
        return direction === "reply" && index === 3 ? "hold" : "pass";
      },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ask = async (method: string, path: string, body = "") => {
      const asking = request({ port: proxy.port, method, path, agent, signal: AbortSignal.timeout(LONG_MS) });
      asking.end(body);
      const [answer] = await once(asking, "response");
      return answer.resume().statusCode as number;
    };
    expect(await ask("POST", "/fapi/v1/order?signature=secret", "a=b")).toBe(200);
    expect(await ask("GET", "/missing")).toBe(404);
    const held = ask("GET", "/held").catch(String);
    await expect.poll(() => frames.length).toBe(6);
    proxy.reset();
    expect(await held).toContain("ECONNRESET");
    expect(frames).toEqual([
      "request 1 POST /fapi/v1/order",
      "reply 1 200 POST /fapi/v1/order",
      "request 2 GET /missing",
      "reply 2 404 GET /missing",
      "request 3 GET /held",
      "reply 3 200 GET /held",
    ]);
  });

  it("passes a WebSocket in both directions", async () => {
    const server = createServer();
    server.on("upgrade", (_, socket: Socket) => {
      const head = [
        "HTTP/1.1 101 Switching Protocols",
        "connection: upgrade",
        "upgrade: websocket",
        "",
        "first",
      ];
      // The test's end cuts it off.
      socket.on("error", () => undefined);
      socket.write(head.join("\r\n"));
      socket.pipe(socket);
    });
    const summaries: string[] = [];
    const proxy = await proxyTo(await listening(server), {
      protocol: "http",
      onFrame: ({ summary }) => {
        summaries.push(summary);
        return "pass";
      },
    });
    const headers = { connection: "upgrade", upgrade: "websocket" };
    const asking = request({ port: proxy.port, path: "/private/ws?listenKey=secret", headers });
    asking.end();
    const [, socket, first] = (await once(asking, "upgrade")) as [unknown, Socket, Buffer];
    const heard = first.length > 0 ? first : (await once(socket, "data"))[0];
    expect(String(heard)).toBe("first");
    const echo = once(socket, "data");
    socket.write("second");
    expect(String((await echo)[0])).toBe("second");
    socket.destroy();
    expect(summaries).toEqual([
      "GET /private/ws",
      "101 GET /private/ws",
      ...["WebSocket", "WebSocket", "WebSocket"],
    ]);
  });
});
