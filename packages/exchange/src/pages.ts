/** Lists of the account that may be longer than one answer. */
import { ExchangeError } from "./port.ts";

/** The most that the venue gives at once of orders and trades. */
export const PAGE_ROWS = 1000;

/**
 * All rows of a span of time, both ends included, in ms of venue time. An answer that is full is asked for again in
 * halves: so it does not matter which end the venue cuts off, which it documents for no list.
 *
 * @throws ExchangeError if one millisecond fills an answer: the rest of it cannot be read
 */
export async function everythingBetween<Row>(
  startMs: number,
  endMs: number,
  page: (startMs: number, endMs: number) => Promise<Row[]>,
): Promise<Row[]> {
  const rows = await page(startMs, endMs);
  if (rows.length < PAGE_ROWS) return rows;
  if (startMs >= endMs) throw new ExchangeError(`more than ${PAGE_ROWS} rows of one millisecond`);
  const middleMs = Math.floor((startMs + endMs) / 2);
  return [
    ...(await everythingBetween(startMs, middleMs, page)),
    ...(await everythingBetween(middleMs + 1, endMs, page)),
  ];
}
