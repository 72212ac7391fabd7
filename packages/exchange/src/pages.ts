/** Reads account lists that may be longer than one answer. */
import { ExchangeError } from "./port.ts";

/** The venue's limit of orders or trades in one answer. */
export const PAGE_ROWS = 1000;

/**
 * All rows between two times, both inclusive, in ms of venue time. If an answer is full, its interval is split in half
 * and read again. So it does not matter which end the venue cuts off, which it does not document.
 *
 * @throws ExchangeError if the rows of a single millisecond fill an answer, because the rest cannot be read
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
