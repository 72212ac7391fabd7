/** Entries whose handler asked for a retry as soon as something happens, which has happened: they wait for room. */
import type { Entry } from "./entry.ts";

export class Returning {
  readonly #entries = new Map<string, Entry>();
  /** @returns false if there is no room for it now */
  readonly #dispatch: (entry: Entry) => boolean;

  constructor(dispatch: (entry: Entry) => boolean) {
    this.#dispatch = dispatch;
  }

  /** It is dispatched after its present delivery, which is the one before `entry`'s. */
  add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.freed();
  }

  /** It came in another way. */
  drop(id: string): void {
    this.#entries.delete(id);
  }

  /** An entry is about to leave room. */
  freed(): void {
    if (this.#entries.size > 0) setImmediate(() => this.#take());
  }

  #take(): void {
    for (const entry of this.#entries.values()) if (!this.#dispatch(entry)) return;
  }
}
