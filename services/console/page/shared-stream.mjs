/**
 * One event stream a browser (ADR 35). A browser opens six connections to a server over HTTP/1.1; ten tabs with a stream each would
 * stop everything else. So the tab that holds a lock reads the stream, and passes what it reads to the others. When it is
 * closed, the browser gives its lock to the next one. A tab that is frozen keeps its lock and says nothing: after a silence
 * another one takes the lock from it. Without locks (they need https, or a loopback address) each tab reads for itself
 * while it is seen.
 */

import { SILENT_MS } from "./freshness.mjs";

const LOCK = "quantum-console-stream";
/** After the server has refused a stream, the browser does not try again by itself. */
const TRY_AGAIN_MS = 2_000;
/** Ends of plans that a tab gets when it is opened, in events. */
const KEPT_EVENTS = 12;

/**
 * @typedef {object} Source
 * @property {() => void} close
 */
/**
 * @typedef {object} Listener
 * @property {(name: string, text: string) => void} onEvent
 * @property {() => void} onOpen
 * @property {(refused: boolean) => void} onError refused: the server ended it, and the browser will not try again
 */
/**
 * @typedef {object} Message
 * @property {"event" | "connected" | "ask" | "answer" | "restart"} kind
 * @property {string} [name]
 * @property {string} [text]
 * @property {boolean} [connected]
 * @property {string} [tab]
 * @property {readonly [name: string, text: string][]} [events]
 */
/**
 * @typedef {object} Ports
 * @property {string} tab
 * @property {{ request(name: string, options: { steal?: boolean }, hold: () => Promise<void>): Promise<unknown> } | undefined} locks
 * @property {{ post(message: Message): void, listen(listener: (message: Message) => void): void }} channel
 * @property {(listener: Listener) => Source} openSource
 * @property {{ set(action: () => void, ms: number): unknown, clear(timer: any): void }} timers
 * @property {(name: string, text: string) => void} onEvent
 * @property {(connected: boolean) => void} onConnected
 * @property {() => void} onOtherUser it is to be asked who is logged in
 */

export class SharedStream {
  #ports;
  /** @type {Source | undefined} */
  #source;
  /** This tab reads for the others. */
  #leads = false;
  #wanted = true;
  #connected = false;
  #lastNow = "";
  /** @type {[name: string, text: string][]} */
  #recent = [];
  /** @type {unknown} */
  #silence;
  /** @type {unknown} */
  #retry;
  /** Ends the hold of the lock. */
  #release = () => {};

  /** @param {Ports} ports */
  constructor(ports) {
    this.#ports = ports;
    ports.channel.listen((message) => this.#receive(message));
    this.#heard();
    ports.channel.post({ kind: "ask", tab: ports.tab });
    if (ports.locks === undefined) {
      this.#leads = true;
      this.#read();
    } else this.#queue(false);
  }

  /** Somebody is there to read for. */
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#heard();
    if (this.#leads) this.#read();
  }

  /** Nobody is logged in, or, without locks, nobody looks at this tab. */
  stop() {
    this.#wanted = false;
    this.#ports.timers.clear(this.#silence);
    this.#close();
  }

  /** After a login or a logout: the stream was another user's, in every tab. */
  restart() {
    this.#ports.channel.post({ kind: "restart" });
    this.#wanted = true;
    if (this.#leads) this.#read();
  }

  get hasLocks() {
    return this.#ports.locks !== undefined;
  }

  /** @param {boolean} steal */
  #queue(steal) {
    const hold = () => {
      this.#leads = true;
      if (this.#wanted) this.#read();
      /** @type {Promise<void>} */
      const released = new Promise((resolve) => (this.#release = resolve));
      return released;
    };
    this.#ports.locks?.request(LOCK, steal ? { steal } : {}, hold).catch(() => {
      // Another tab took it from this one, which was silent for too long.
      this.#leads = false;
      this.#release();
      this.#close();
      if (this.#wanted) this.#heard();
      this.#queue(false);
    });
  }

  #read() {
    this.#close();
    this.#heard();
    this.#source = this.#ports.openSource({
      onEvent: (name, text) => {
        this.#ports.channel.post({ kind: "event", name, text });
        this.#deliver(name, text);
      },
      onOpen: () => this.#tellConnected(true),
      onError: (refused) => {
        this.#tellConnected(false);
        if (!refused) return;
        this.#ports.onOtherUser();
        this.#ports.timers.clear(this.#retry);
        this.#retry = this.#ports.timers.set(() => this.#wanted && this.#read(), TRY_AGAIN_MS);
      },
    });
  }

  #close() {
    this.#ports.timers.clear(this.#retry);
    this.#source?.close();
    this.#source = undefined;
  }

  /** @param {Message} message */
  #receive({ kind, name = "", text = "", connected = false, tab = "", events = [] }) {
    const reads = this.#source !== undefined;
    if (kind === "ask" && reads && this.#lastNow !== "")
      this.#ports.channel.post({
        kind: "answer",
        tab,
        connected: this.#connected,
        events: [...this.#recent, ["now", this.#lastNow]],
      });
    if (kind === "restart") this.#otherUser();
    // Two tabs read for a moment when one has taken the lock from the other, and always without locks.
    if (reads || !this.#wanted) return;
    if (kind === "event") this.#deliver(name, text);
    if (kind === "connected") this.#setConnected(connected);
    if (kind !== "answer" || tab !== this.#ports.tab) return;
    this.#setConnected(connected);
    for (const [told, what] of events) this.#deliver(told, what);
  }

  #otherUser() {
    this.#wanted = true;
    this.#ports.onOtherUser();
    if (this.#leads) this.#read();
    else this.#heard();
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #remember(name, text) {
    if (name === "now") this.#lastNow = text;
    else this.#recent = [...this.#recent, /** @type {[string, string]} */ ([name, text])].slice(-KEPT_EVENTS);
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #deliver(name, text) {
    this.#heard();
    this.#remember(name, text);
    if (!this.#connected) this.#setConnected(true);
    this.#ports.onEvent(name, text);
  }

  /** @param {boolean} connected */
  #tellConnected(connected) {
    this.#ports.channel.post({ kind: "connected", connected });
    this.#setConnected(connected);
  }

  /** @param {boolean} connected */
  #setConnected(connected) {
    this.#connected = connected;
    this.#ports.onConnected(connected);
  }

  #heard() {
    this.#ports.timers.clear(this.#silence);
    this.#silence = this.#ports.timers.set(() => this.#onSilence(), SILENT_MS);
  }

  #onSilence() {
    if (this.#leads) this.#read();
    else {
      this.#heard();
      this.#queue(true);
    }
  }
}
