/** What readings weigh at the exchange, so that none is begun of which nothing can come. */
import { READING_WEIGHTS } from "@quantum/exchange";
import type { StoredPair } from "./pair-store.ts";

const { positions, openOrders, openOrdersOfAll, trades } = READING_WEIGHTS;

/** Position and orders, twice, and the newest trade after each. */
export const WEIGHT_OF_BEGINNING = 2 * (openOrders + positions + trades);

/** A symbol that is read alone has a result, or something that was not explained, so its trades are read. */
export function weightOfOne({ ledger }: Pick<StoredPair, "ledger">): number {
  return ledger === undefined ? WEIGHT_OF_BEGINNING : openOrders + positions + trades;
}

/**
 * What is read before the first symbol is known, and the trades of one. Each further symbol that has moved finds room for
 * its trades by itself: what was read of the others is not lost if it finds none.
 * @param withOrders of how many symbols the open orders are read
 */
export function weightOfAll(withOrders: number): number {
  const orders = isLighterForAll(withOrders) ? openOrdersOfAll : withOrders * openOrders;
  return orders + positions + trades;
}

/** Whether one request for the open orders of all symbols weighs no more than one for each of these. */
export function isLighterForAll(symbols: number): boolean {
  return symbols * openOrders >= openOrdersOfAll;
}
