/**
 * A TCP proxy in front of one server (Redis, or the exchange) that does to a process what networks do: connections die,
 * hang, slow down or cannot be made. With a protocol it also knows frames, so that a test can end a process exactly
 * before or after its n-th command, reply or HTTP answer; nothing in the process knows of it.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Conversation, httpConversation, respConversation } from "./fault-proxy-frames.ts";

export type Direction = "request" | "reply";

export interface ProxyFrame {
  direction: Direction;
  /** Counts a direction's frames of all connections, from 1. */
  index: number;
  /** `EVALSHA orders/claim quantum:order:…`, `POST /fapi/v1/order`; of a reply `200 POST /fapi/v1/order`. */
  summary: string;
}

/** `drop`: the other side never gets this frame. `hold`: nor anything after it on this connection. */
export type FrameAction = "pass" | "drop" | "hold";

export interface FaultProxyOptions {
  upstream: { port: number; host?: string };
  /** Needed for `onFrame`; without it bytes pass as they come. */
  protocol?: "resp" | "http";
  onFrame?: (frame: ProxyFrame) => FrameAction;
  /** SHA-1 of a script's source → the name that summaries show. */
  scripts?: ReadonlyMap<string, string>;
}

export interface FaultProxy {
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Every connection dies at once (RST). */
  reset(): void;
  /** Every connection dies in the middle of its next reply. */
  resetInReply(): void;
  /** Every connection open now stays open for ever: what is sent is taken, and nothing comes back. New ones work. */
  halfOpen(): void;
  /** Nothing passes in either direction; what is under way comes through after {@link heal}. */
  stall(): void;
  /** Every piece of data comes so much later, in ms; order is kept. */
  delay(ms: number): void;
  /** New connections die at once. */
  refuse(): void;
  /** Old and new connections die at once. */
  cutOff(): void;
  /** Ends stall, delay and refuse. What died stays dead. */
  heal(): void;
  /** Drops every connection and listens no more. */
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/** Listens on a free port of 127.0.0.1. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { upstream } = options;
  const state: State = { stalled: undefined, delayMs: 0, counts: { request: 0, reply: 0 } };
  const pairs = new Set<Pair>();
  let refusing = false;
  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ host: LOOPBACK, ...upstream, noDelay: true });
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

/** Of the whole proxy. */
interface State {
  stalled: PromiseWithResolvers<void> | undefined;
  delayMs: number;
  readonly counts: Record<Direction, number>;
}

/** One connection of the client and its counterpart to the server. */
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
      // One side died: so does the other.
      this.reset();
    }
  }

  /** What of a chunk the other side gets. */
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
