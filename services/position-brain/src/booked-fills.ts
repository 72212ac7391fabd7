/** Whether a result's fills are in the stored pair, after waiting for the events that tell them. */
import { setTimeout as delay } from "node:timers/promises";
import type { AccountStream } from "@quantum/exchange";
import { withDeadline } from "@quantum/redis";
import { Big } from "big.js";
import type { Booker } from "./booker.ts";
import { includes } from "./booking.ts";
import type { Execution } from "./pair.ts";
import type { PairStore } from "./pair-store.ts";

/** Fills are usually booked before their result is read. After this, the exchange is asked. */
const WAIT_MS = 250;
/** A replica that does not book looks this often whether the other one has. */
const LOOK_MS = 25;

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

  async #include(symbol: string, execution: Execution): Promise<boolean> {
    const { booker, stream, pairs } = this.#options;
    // Without order or quantity, nothing shows when its fills are complete.
    if (execution.orderId === "" || !Big(execution.qty).gt(0)) return false;
    const untilMs = performance.now() + WAIT_MS;
    for (;;) {
      const isHere = booker.isBooking;
      const pair = isHere ? booker.pairOf(symbol) : (await pairs.state(symbol)).pair;
      if (pair !== undefined && includes(pair.ledger, execution)) return true;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || !stream.isUp) return false;
      if (isHere) await this.#change(symbol, leftMs);
      else await delay(Math.min(leftMs, LOOK_MS));
    }
  }

  async #change(symbol: string, atMostMs: number): Promise<void> {
    const change = this.#changes.get(symbol) ?? Promise.withResolvers<void>();
    this.#changes.set(symbol, change);
    await withDeadline(change.promise, atMostMs, `events of ${symbol}`).catch(() => undefined);
  }
}
