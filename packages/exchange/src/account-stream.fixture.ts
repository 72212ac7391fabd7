/** A venue that serves listen keys and the user data stream over real HTTP, and misbehaves when told to. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { AccountStream, AccountStreamEvents } from "./account-stream-port.ts";
import { type AccountStreamOptions, createAccountStream } from "./account-stream.ts";
import { createBinanceExchange } from "./binance-adapter.ts";
import { parseVenue } from "./venue.ts";

/** Nothing in a test needs longer, and a busy machine must not look silent. */
export const POLL = { timeout: 10_000, interval: 5 };
export const QUICK = {
  pingEveryMs: 20,
  silenceMs: 2_000,
  extendKeyEveryMs: 60_000,
  extendKeyAgainMs: 20,
  firstPauseMs: 5,
  longestPauseMs: 20,
};

interface Answer {
  status: number;
  body: object;
}

export class FakeVenue {
  /** Requests by method, and `WS` with the query for each attempt to connect. */
  readonly seen: string[] = [];
  readonly sockets: WebSocket[] = [];
  /** The active listen key. */
  key = "lk-1-secret";
  /** Instead of the usual answer to a POST or PUT. */
  answers: Partial<Record<"POST" | "PUT", Answer>> = {};
  /** Instead of a connection. */
  refuseWith: number | undefined;
  answersPings = true;

  readonly #sockets = new WebSocketServer({ noServer: true, autoPong: false });
  readonly #server = createServer((request, reply) => {
    const method = request.method as "POST" | "PUT";
    this.seen.push(method);
    const { status, body } = this.answers[method] ?? { status: 200, body: { listenKey: this.key } };
    reply.writeHead(status).end(JSON.stringify(body));
  });

  constructor() {
    this.#server.on("upgrade", (request, socket, head) => {
      this.seen.push(`WS ${request.url}`);
      if (this.refuseWith !== undefined) {
        socket.end(`HTTP/1.1 ${this.refuseWith} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (opened) => {
        this.sockets.push(opened);
        opened.on("error", () => undefined);
        opened.on("ping", (data) => {
          if (this.answersPings) opened.pong(data);
        });
      });
    });
  }

  /** The latest socket. */
  get socket(): WebSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nobody has connected");
    return socket;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  times(what: string): number {
    return this.seen.filter((seen) => seen.startsWith(what)).length;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  close(): void {
    for (const socket of this.sockets) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** What happened, in order, except for the pongs. */
export type Happened = {
  [E in keyof AccountStreamEvents]: [E, ...AccountStreamEvents[E]];
}[keyof AccountStreamEvents];

export let venue: FakeVenue;
let streams: AccountStream[] = [];

export function useFakeVenue(): void {
  beforeEach(async () => {
    venue = new FakeVenue();
    await venue.listen();
  });
  afterEach(async () => {
    await Promise.all(streams.splice(0).map((stream) => stream.stop()));
    venue.close();
  });
}

export function openStream(timing: AccountStreamOptions["timing"] = {}, ordersOnly = false) {
  const exchange = createBinanceExchange({
    baseUrl: venue.url,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  });
  const stream = createAccountStream({
    venue: parseVenue(venue.url),
    exchange,
    ordersOnly,
    timing: { ...QUICK, ...timing },
  });
  streams.push(stream);
  const happened: Happened[] = [];
  for (const name of ["order", "account", "up", "down", "gap", "unreadable", "failed"] as const)
    stream.on(name, (...args: unknown[]) => void happened.push([name, ...args] as Happened));
  stream.start();
  const names = () => happened.map(([name]) => name);
  return { stream, happened, names };
}
