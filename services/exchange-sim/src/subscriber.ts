import type { WebSocket } from "ws";
import type { StreamEvent, StreamEventType } from "./stream-events.ts";
import type { DeliveryFaults } from "./stream-faults.ts";

/** RFC 6455: the endpoint goes away. */
const GOING_AWAY = 1001;

export interface SubscriberOptions {
  readonly listenKey: string;
  /** The types it asked for; undefined for all. */
  readonly types: ReadonlySet<string> | undefined;
  readonly pingMs: number;
  /** Without a pong for this long, it is cut off. */
  readonly pongWithinMs: number;
  /** It is closed after this long, whatever it does. */
  readonly connectionMs: number;
}

/** One socket of the user data stream. */
export class Subscriber {
  readonly listenKey: string;
  readonly #socket: WebSocket;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #faults: DeliveryFaults;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Events that wait for the next one to overtake them. */
  readonly #held: string[] = [];
  #isSilent = false;
  #pongAtMs = performance.now();

  constructor(socket: WebSocket, options: SubscriberOptions, faults: DeliveryFaults) {
    this.listenKey = options.listenKey;
    this.#socket = socket;
    this.#types = options.types;
    this.#faults = faults;
    socket.on("ping", (data) => {
      if (!this.#isSilent) socket.pong(data);
    });
    socket.on("pong", () => (this.#pongAtMs = performance.now()));
    // The socket closes after an error.
    socket.on("error", () => undefined);
    socket.once("close", () => this.#stop());
    this.#timers.add(setInterval(() => this.#ping(options.pongWithinMs), options.pingMs).unref());
    this.#timers.add(setTimeout(() => this.close(), options.connectionMs).unref());
  }

  wants(type: StreamEventType): boolean {
    return this.#types === undefined || this.#types.has(type);
  }

  deliver(event: StreamEvent): void {
    const fault = this.#faults.take(event);
    switch (fault?.kind) {
      case "drop":
        return;
      case "late":
        this.#after(fault.ms, () => this.#send(event.json));
        return;
      case "reorder":
        this.#held.push(event.json);
        this.#after(fault.ms, () => this.#release());
        return;
      case "double":
        this.#send(event.json);
        this.#after(fault.ms, () => this.#send(event.json));
        break;
      case undefined:
        this.#send(event.json);
    }
    this.#release();
  }

  /** From now on it stays open, but is sent nothing, and its pings are not answered. */
  silence(): void {
    this.#isSilent = true;
  }

  /** Closes after what was sent. A silent socket stays open: its client hears nothing of the close either. */
  close(): void {
    if (this.#isSilent) return;
    this.#stop();
    this.#socket.close(GOING_AWAY);
  }

  /** At once, without a word. */
  cut(): void {
    this.#stop();
    this.#socket.terminate();
  }

  #ping(pongWithinMs: number): void {
    if (performance.now() - this.#pongAtMs > pongWithinMs) this.cut();
    else if (!this.#isSilent) this.#socket.ping();
  }

  #send(json: string): void {
    if (!this.#isSilent) this.#socket.send(json);
  }

  #release(): void {
    for (const json of this.#held.splice(0)) this.#send(json);
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms).unref();
    this.#timers.add(timer);
  }

  #stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
