/**
 * A TCP proxy in front of a server (Redis or the exchange) that injects network faults: it resets, stalls, slows down
 * or refuses connections. With a protocol it also recognises frames, so a test can end a process exactly before or
 * after its n-th command, reply or HTTP answer. The process needs no changes.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Conversation, httpConversation, respConversation } from "./fault-proxy-frames.ts";

export type Direction = "request" | "reply";

export interface ProxyFrame {
  direction: Direction;
  /** Counts frames in this direction over all connections, from 1. */
  index: number;
  /** `EVALSHA orders/claim quantum:order:…`, `POST /fapi/v1/order`; for a reply `200 POST /fapi/v1/order`. */
  summary: string;
}

/** `drop`: this frame is not forwarded. `hold`: neither this frame nor any later one on this connection. */
export type FrameAction = "pass" | "drop" | "hold";

export interface FaultProxyOptions {
  upstream: { port: number; host?: string };
  /** Required for `onFrame`. Without it, bytes are forwarded as they arrive. */
  protocol?: "resp" | "http";
  onFrame?: (frame: ProxyFrame) => FrameAction;
  /** SHA-1 of a script's source → the name shown in summaries. */
  scripts?: ReadonlyMap<string, string>;
}

export interface FaultProxy {
  readonly port: number;
  /** Number of open connections. */
  readonly connections: number;
  /** New connections go to another port of the same host, and the present ones are reset. */
  lead(port: number): void;
  /** Resets every connection now (RST). */
  reset(): void;
  /** Resets every connection in the middle of its next reply. */
  resetInReply(): void;
  /** Makes all current connections half-open: they stay open and accept data, but nothing comes back. New ones work. */
  halfOpen(): void;
  /** Forwards nothing in either direction until {@link heal}, which delivers what was held. */
  stall(): void;
  /** Delays all data by `ms`, in order. */
  delay(ms: number): void;
  /** Resets new connections at once. */
  refuse(): void;
  /** Resets old and new connections. */
  cutOff(): void;
  /** Ends stall, delay and refuse. Closed connections stay closed. */
  heal(): void;
  /** Drops every connection and stops listening. */
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/** Listens on a free port of 127.0.0.1. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const upstream = { host: LOOPBACK, ...options.upstream };
  const state: State = { stalled: undefined, delayMs: 0, counts: { request: 0, reply: 0 } };
  const pairs = new Set<Pair>();
  let refusing = false;
  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ ...upstream, noDelay: true });
    const pair = new Pair(client, target, state, options);
    pairs.add(pair);
    client.once("close", () => pairs.delete(pair));
  });
  await once(server.listen(0, LOOPBACK), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");

  const reset = () => {
    for (const pair of pairs) pair.reset();
  };
  const heal = () => {
    state.stalled?.resolve();
    state.stalled = undefined;
    state.delayMs = 0;
    refusing = false;
  };
  return {
    port: address.port,
    get connections() {
      return pairs.size;
    },
    lead(port) {
      upstream.port = port;
      reset();
    },
    reset,
    resetInReply() {
      for (const pair of pairs) pair.cutNextReply = true;
    },
    halfOpen() {
      for (const pair of pairs) pair.dead = true;
    },
    stall() {
      state.stalled ??= Promise.withResolvers();
    },
    delay(ms) {
      state.delayMs = ms;
    },
    refuse() {
      refusing = true;
    },
    cutOff() {
      refusing = true;
      reset();
    },
    heal,
    async close() {
      const closed = once(server, "close");
      server.close();
      refusing = true;
      reset();
      heal();
      await closed;
    },
  };
}

/** The state of the whole proxy. */
interface State {
  stalled: PromiseWithResolvers<void> | undefined;
  delayMs: number;
  readonly counts: Record<Direction, number>;
}

/** A client's connection and the matching one to the server. */
class Pair {
  cutNextReply = false;
  dead = false;
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #state: State;
  readonly #onFrame: FaultProxyOptions["onFrame"];
  readonly #conversation: Conversation | undefined;
  readonly #held = new Set<Direction>();

  constructor(client: Socket, target: Socket, state: State, options: FaultProxyOptions) {
    this.#client = client;
    this.#target = target;
    this.#state = state;
    this.#onFrame = options.onFrame;
    if (options.onFrame !== undefined && options.protocol === undefined)
      throw new Error("onFrame needs a protocol: bytes alone have no frames");
    if (options.onFrame !== undefined) {
      this.#conversation =
        options.protocol === "http" ? httpConversation() : respConversation(options.scripts ?? new Map());
    }
    void this.#pump("request", client, target);
    void this.#pump("reply", target, client);
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#target.resetAndDestroy();
  }

  async #pump(direction: Direction, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) {
        if (this.#state.delayMs > 0) await sleep(this.#state.delayMs);
        await this.#state.stalled?.promise;
        const bytes = this.dead ? undefined : this.#passing(direction, chunk as Buffer);
        if (bytes === undefined || bytes.length === 0) continue;
        if (direction === "reply" && this.cutNextReply) {
          to.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => this.reset());
          return;
        }
        if (!to.write(bytes)) await once(to, "drain");
      }
      to.end();
    } catch {
      // One side closed, so close the other.
      this.reset();
    }
  }

  /** The part of a chunk that is forwarded. */
  #passing(direction: Direction, chunk: Buffer): Buffer {
    if (this.#conversation === undefined || this.#onFrame === undefined) return chunk;
    const frames =
      direction === "request" ? this.#conversation.requests(chunk) : this.#conversation.replies(chunk);
    const passing: Buffer[] = [];
    for (const { bytes, summary } of frames) {
      if (this.#held.has(direction)) continue;
      const index = ++this.#state.counts[direction];
      const verdict = this.#onFrame({ direction, index, summary });
      if (verdict === "pass") passing.push(bytes);
      else if (verdict === "hold") this.#held.add(direction);
    }
    return Buffer.concat(passing);
  }
}
