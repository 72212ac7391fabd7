import type { AccountEvents } from "./account-events.ts";
import type { Query } from "./queries.ts";
import type { SimAlgoOrder } from "./records.ts";
import { missing, refusal } from "./venue-error.ts";

/** Algo ids have a range of their own. They are unique over all symbols: a cancellation names no symbol. */
const ALGO_ID_START = 3_000_000_000_003_505n;
const NO_SUCH_OPEN_ORDER = -2011;

/** What was asked for. */
export type AlgoTerms = Pick<
  SimAlgoOrder,
  "symbol" | "side" | "type" | "reduceOnly" | "closePosition" | "quantity" | "triggerPrice"
>;

/**
 * The account's conditional orders. They lock no margin and no position, and trigger when a tester says so. Source: Binance,
 * USDⓈ-M Futures, "New Algo Order", "Event: Algo Order Update" and "Change Log" (2025-11-06).
 */
export class AlgoOrders {
  readonly #orders = new Map<string, SimAlgoOrder>();
  readonly #now: () => number;
  readonly #events: AccountEvents;
  #lastId = ALGO_ID_START;

  constructor(now: () => number, events: AccountEvents, saved: readonly SimAlgoOrder[]) {
    this.#now = now;
    this.#events = events;
    for (const order of saved) {
      this.#orders.set(order.algoId, order);
      if (BigInt(order.algoId) > this.#lastId) this.#lastId = BigInt(order.algoId);
    }
  }

  of(symbol?: string): SimAlgoOrder[] {
    return [...this.#orders.values()].filter((order) => symbol === undefined || order.symbol === symbol);
  }

  open(symbol?: string): SimAlgoOrder[] {
    return this.of(symbol).filter(({ status }) => status === "NEW");
  }

  place(terms: AlgoTerms): SimAlgoOrder {
    this.#lastId += 1n;
    const algoId = this.#lastId.toString();
    const timeMs = this.#now();
    const order: SimAlgoOrder = {
      ...terms,
      algoId,
      clientAlgoId: `other-${algoId}`,
      timeMs,
      status: "NEW",
      actualOrderId: "",
      updateTimeMs: timeMs,
    };
    this.#orders.set(algoId, order);
    this.#events.emit("algo", order);
    return order;
  }

  /** @throws VenueError if there is no such order that waits */
  waiting({ algoId, clientAlgoId }: Query): SimAlgoOrder {
    if (algoId === undefined && clientAlgoId === undefined) throw missing("algoId");
    const order = algoId === undefined ? this.#named(clientAlgoId) : this.#orders.get(algoId);
    if (order?.status !== "NEW") throw refusal(NO_SUCH_OPEN_ORDER);
    return order;
  }

  /** @param actualOrderId the order that it became, if it triggered */
  end(order: SimAlgoOrder, status: Exclude<SimAlgoOrder["status"], "NEW">, actualOrderId = ""): void {
    order.status = status;
    order.actualOrderId = actualOrderId;
    order.updateTimeMs = this.#now();
    this.#events.emit("algo", order);
  }

  #named(clientAlgoId: string | undefined): SimAlgoOrder | undefined {
    return this.of().find((order) => order.clientAlgoId === clientAlgoId);
  }
}
