export * from "./port.ts";
export * from "./resting-orders.ts";
export * from "./account-stream-port.ts";
export { createBinanceExchange } from "./binance-adapter.ts";
export {
  type BinanceOptions,
  ROWS_ENDPOINTS,
  type RowsEndpoint,
  type UnreadableRow,
} from "./binance-options.ts";
export { concernOf, classifyError, FAILURES } from "./error-classes.ts";
export { Budget } from "./budget.ts";
export type { RequestClass } from "./request-classes.ts";
export { LIMIT_KINDS, type LimitKind, READING_WEIGHTS } from "./limits.ts";
export { NotAskedError } from "./not-asked.ts";
export {
  BOOK_TOO_FAR,
  type Concern,
  ERROR_CODES,
  type ErrorClass,
  NO_SUCH_LISTEN_KEY,
  NO_SUCH_ORDER,
  NOTHING_TO_REDUCE,
  OUTSIDE_RECV_WINDOW,
  TOO_MANY_ORDERS,
} from "./error-codes.ts";
export { type AccountStreamOptions, createAccountStream } from "./account-stream.ts";
export { distrustIfDeaf } from "./deaf-stream.ts";
export { type Pause, type PauseScope, Pauses } from "./pauses.ts";
export {
  belowMinimum,
  type BelowMinimum,
  clientOrderId,
  closeQuantity,
  floorToStep,
  isDust,
  planIdOf,
} from "./quantity.ts";
export { RuleBook } from "./rule-book.ts";
export { parseVenue, type Venue } from "./venue.ts";
export { whenReady } from "./when-ready.ts";
