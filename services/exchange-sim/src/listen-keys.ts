import { randomBytes } from "node:crypto";
import { VenueError } from "./venue-error.ts";

const KEY_BYTES = 32;

/** The account's one active listen key. It is due to end `lifetimeMs` after it was last asked for or extended. */
export class ListenKeys {
  readonly #lifetimeMs: number;
  readonly #onDue: () => void;
  #active: { readonly listenKey: string; readonly timer: NodeJS.Timeout } | undefined;

  constructor(lifetimeMs: number, onDue: () => void) {
    this.#lifetimeMs = lifetimeMs;
    this.#onDue = onDue;
  }

  get active(): string | undefined {
    return this.#active?.listenKey;
  }

  /** Extends the active key, or makes one. */
  start(): string {
    if (this.#active) return this.extend();
    const listenKey = randomBytes(KEY_BYTES).toString("hex");
    this.#active = { listenKey, timer: setTimeout(this.#onDue, this.#lifetimeMs).unref() };
    return listenKey;
  }

  extend(): string {
    if (!this.#active) throw new VenueError(-1125, "This listenKey does not exist.");
    this.#active.timer.refresh();
    return this.#active.listenKey;
  }

  /** @returns the key that was active. */
  end(): string | undefined {
    const ended = this.#active;
    clearTimeout(ended?.timer);
    this.#active = undefined;
    return ended?.listenKey;
  }
}
