/** Whether a result's fills are in the stored pair, after waiting for the events, or for the reading, that tell them. */
import { setTimeout as delay } from "node:timers/promises";
import type { AccountStream } from "@quantum/exchange";
import { withDeadline } from "@quantum/redis";
import { Big } from "big.js";
import type { Booker } from "./booker.ts";
import { includes } from "./booking.ts";
import { agrees, type Execution, type Pair } from "./pair.ts";
import type { PairStore } from "./pair-store.ts";
import { withExecutions } from "./reconcile.ts";

/** Fills are usually booked before their result is read. After this, the exchange is asked. */
const WAIT_MS = 250;
/** For a reading of the whole account: more than one of its requests may take. */
const READING_WAIT_MS = 5_000;
/** A replica that does not book looks this often whether the other one has, */
const LOOK_MS = 25;
/** and for a result that the limits leave no room to ask for, this often. */
const LOOK_AGAIN_MS = 2_000;
/** After this many pairs of others in a row, the exchange is asked. */
const TRIES = 5;

export interface BookedFillsOptions {
  booker: Booker;
  stream: Pick<AccountStream, "isUp">;
  pairs: PairStore;
}

export class BookedFills {
  readonly #options: BookedFillsOptions;
  /** Resolve when the symbol's stored pair changes. */
  readonly #changes = new Map<string, PromiseWithResolvers<void>>();

  constructor(options: BookedFillsOptions) {
    this.#options = options;
    options.booker.on("changed", (symbol) => {
      this.#changes.get(symbol)?.resolve();
      this.#changes.delete(symbol);
    });
  }

  /** If not, the caller reads the symbol by REST. */
  async include(symbol: string, execution: Execution): Promise<boolean> {
    const isIncluded = await this.#include(symbol, execution);
    if (!isIncluded) this.#options.booker.emit("read", { symbol, reason: "result" });
    return isIncluded;
  }

  /** Resolves when it is worth asking again whether the symbol's pair includes a result's fills. */
  changed(symbol: string): Promise<void> {
    if (!this.#options.booker.isBooking) return delay(LOOK_AGAIN_MS, undefined, { ref: false });
    const change = this.#changes.get(symbol) ?? Promise.withResolvers<void>();
    this.#changes.set(symbol, change);
    return change.promise;
  }

  async #include(symbol: string, execution: Execution): Promise<boolean> {
    const { booker, stream } = this.#options;
    // Without order or quantity, nothing shows when its fills are complete.
    if (execution.orderId === "" || !Big(execution.qty).gt(0)) return false;
    if (await this.#isShown(symbol, execution)) return true;
    // If the whole account is being read, that brings these fills, for a fraction of the weight.
    await this.#readingEnded();
    for (const untilMs = performance.now() + WAIT_MS; ;) {
      if (await this.#isShown(symbol, execution)) return true;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || !stream.isUp) return false;
      if (booker.isBooking) await this.#change(symbol, leftMs);
      else await delay(Math.min(leftMs, LOOK_MS));
    }
  }

  async #isShown(symbol: string, execution: Execution): Promise<boolean> {
    const { booker, pairs } = this.#options;
    const pair = booker.isBooking ? booker.pairOf(symbol) : (await pairs.state(symbol)).pair;
    if (pair === undefined || !isIn(pair, execution)) return false;
    const { lastExecution: last } = pair.ledger;
    const isNoted = last !== undefined && (last.orderId === execution.orderId || last.atMs >= execution.atMs);
    return isNoted || this.#noteExecution(symbol, execution);
  }

  /**
   * Begins the execution's cooldown. The exchange's trades do not say whose they are, so a pair that was read by REST can
   * include its fills without it.
   * @returns false if the pair does not include them any more
   */
  async #noteExecution(symbol: string, execution: Execution): Promise<boolean> {
    const { pairs } = this.#options;
    // Its store would find another version, and read the symbol again.
    await this.#readingEnded();
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const { version, snapshot, ledger } = await pairs.read(symbol);
      if (snapshot === undefined || ledger === undefined) return false;
      if (!isIn({ snapshot, ledger }, execution)) return false;
      const noted = withExecutions(ledger, [execution], pairs.now(symbol));
      if (noted.lastExecution?.orderId === ledger.lastExecution?.orderId) return true;
      if ((await pairs.store(symbol, version, { snapshot, ledger: noted })) !== undefined) return true;
    }
    return false;
  }

  async #readingEnded(): Promise<void> {
    const ended = this.#options.booker.account.ended();
    await withDeadline(ended, READING_WAIT_MS, "the account").catch(() => undefined);
  }

  async #change(symbol: string, atMostMs: number): Promise<void> {
    await withDeadline(this.changed(symbol), atMostMs, `events of ${symbol}`).catch(() => undefined);
  }
}

/** Only a pair that agrees: its position includes the fills, too. */
function isIn(pair: Pair, execution: Execution): boolean {
  return agrees(pair) && includes(pair.ledger, execution);
}
