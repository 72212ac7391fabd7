import type { Budget } from "./budget.ts";
import type { Pauses } from "./pauses.ts";

export interface BinanceOptions {
  /** Must have passed `parseVenue`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** For a whole request, including its answer. Must be below `recvWindowMs`. */
  readonly timeoutMs: number;
  /** For reads. Orders bring their own. At most 60000. */
  readonly recvWindowMs: number;
  /** The venue's pauses, if they are shared with other services. */
  readonly pauses?: Pauses;
  /** The use of the venue's limits, if it is shared with other services. */
  readonly budget?: Budget;
  /** Called for each row of an answer that cannot be read. `symbol` is undefined if it is unreadable too. */
  readonly onUnreadable?: (row: UnreadableRow) => void;
}

export interface UnreadableRow {
  readonly endpoint: RowsEndpoint;
  readonly symbol: string | undefined;
  readonly problem: string;
}

/** The endpoints that return rows. */
export const ROWS_ENDPOINTS = [
  "exchangeInfo",
  "openAlgoOrders",
  "openOrders",
  "positionRisk",
  "userTrades",
] as const;
export type RowsEndpoint = (typeof ROWS_ENDPOINTS)[number];

const RECV_WINDOW_MAX_MS = 60_000;

/** @throws RangeError for times that do not fit the venue or each other */
export function checkTimes({ timeoutMs, recvWindowMs }: BinanceOptions): void {
  if (!(recvWindowMs <= RECV_WINDOW_MAX_MS)) {
    throw new RangeError(`recvWindowMs=${recvWindowMs}: Binance allows ${RECV_WINDOW_MAX_MS} at most`);
  }
  if (!(timeoutMs > 0 && timeoutMs < recvWindowMs)) {
    throw new RangeError(
      `timeoutMs=${timeoutMs}: must be below recvWindowMs=${recvWindowMs}, or answers that arrive in time would be missed`,
    );
  }
}
