/** While a gate is shut, its consumer neither reads nor reclaims entries. It still finishes the entries that it has. */
import { EventEmitter, once } from "node:events";

export class Gate extends EventEmitter<{ opened: []; shut: [] }> {
  #isOpen: boolean;
  /** By performance.now(). */
  #openedAt = Number.NEGATIVE_INFINITY;

  constructor({ isOpen }: { isOpen: boolean }) {
    super();
    this.#isOpen = isOpen;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** 0 while it is shut; Infinity if it has always been open. */
  get openForMs(): number {
    return this.#isOpen ? performance.now() - this.#openedAt : 0;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#openedAt = performance.now();
    this.emit("opened");
  }

  shut(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.emit("shut");
  }

  /** Resolves when it is open, or when the signal aborts. */
  async passed(signal: AbortSignal): Promise<void> {
    while (!this.#isOpen && !signal.aborted) await once(this, "opened", { signal }).catch(() => undefined);
  }
}
