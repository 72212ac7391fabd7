/**
 * Reads the whole account by REST: to close a gap in the events, to audit what they have told, and while there are none.
 * One reading at a time.
 */
import { EventEmitter } from "node:events";
import type { Doubt } from "./booking.ts";
import type { PairRefresh } from "./refresh.ts";

/** After an audit that failed. */
const AUDIT_AGAIN_MS = 5_000;

/** Why REST is asked, about one symbol or about all. */
export const READ_REASONS = [
  "begin",
  "gap",
  "unexplained",
  "changed",
  "mismatch",
  "poll",
  "audit",
  "result",
] as const satisfies readonly (Doubt | "poll" | "audit" | "result")[];
export type ReadReason = (typeof READ_REASONS)[number];

type Reason = "begin" | "gap" | "poll" | "audit";

export interface AccountReadingEvents {
  began: [Reason];
  /** The gap is closed, except for symbols that could not be read. */
  closed: [];
}

export interface AccountReadingOptions {
  refresh: Pick<PairRefresh, "all">;
  /** How often the whole account must be read and agree, whatever the events tell. */
  auditMs: number;
}

export class AccountReading extends EventEmitter<AccountReadingEvents> {
  readonly #options: AccountReadingOptions;
  /** Since when events may be missing; undefined if a reading that began later has succeeded. */
  #gapSinceMs: number | undefined;
  #running: Promise<void> | undefined;
  /** Reads until the gap is closed, or until a reading fails. */
  #closing: Promise<void> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #auditedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: AccountReadingOptions) {
    super();
    this.#options = options;
  }

  /** Events of any symbol may be missing. */
  get isGapOpen(): boolean {
    return this.#gapSinceMs !== undefined;
  }

  /** When the whole account was last read here, by performance.now(); -Infinity before. */
  get readAtMs(): number {
    return this.#readAtMs;
  }

  /** Events up to now may be missing. Reads at once; if that fails, whoever polls closes the gap. */
  openGap(reason: "begin" | "gap"): void {
    const isOpen = this.isGapOpen;
    this.#gapSinceMs = performance.now();
    if (!isOpen) this.#closing ??= this.#close(reason).finally(() => (this.#closing = undefined));
  }

  /** The gap concerns nobody here any more. */
  forgetGap(): void {
    this.#gapSinceMs = undefined;
  }

  /** Resolves once the reading that is under way has ended, with or without success; at once if there is none. */
  async ended(): Promise<void> {
    await (this.#closing ?? this.#running)?.catch(() => undefined);
  }

  /** Rejects if the exchange or Redis gives no usable answer. */
  read(reason: Reason): Promise<void> {
    this.#running ??= this.#read(reason).finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** The refresh reports a failure, and it is tried again. */
  auditIfDue(): void {
    const now = performance.now();
    const isDue = now - this.#readAtMs >= this.#options.auditMs && now - this.#auditedAtMs >= AUDIT_AGAIN_MS;
    if (!isDue) return;
    this.#auditedAtMs = now;
    void this.read("audit").catch(() => undefined);
  }

  async #close(reason: "begin" | "gap"): Promise<void> {
    try {
      await this.#running?.catch(() => undefined);
      while (this.isGapOpen) await this.read(reason);
    } catch {
      // The refresh has reported it.
    }
  }

  async #read(reason: Reason): Promise<void> {
    const beganAtMs = performance.now();
    this.emit("began", reason);
    await this.#options.refresh.all();
    this.#readAtMs = performance.now();
    // A reading that was running when the gap opened may lack what the events did not tell.
    if (this.#gapSinceMs === undefined || beganAtMs < this.#gapSinceMs) return;
    this.#gapSinceMs = undefined;
    this.emit("closed");
  }
}
