import type { Placement } from "./port.ts";

/** What an error answer means for the order that was sent. */
export type ErrorClass = Exclude<Placement["outcome"], "answered" | "acknowledged">;

/**
 * What a refusal applies to: the symbol's rules or status, which may have changed; otherwise the symbol; or the
 * account.
 */
export type Concern = "rules" | "symbol" | "account";

interface ErrorCode {
  readonly name: string;
  readonly errorClass: ErrorClass;
  readonly why: string;
  /** For a refusal. */
  readonly concerns: Concern | undefined;
}

/**
 * The only place where error codes of the order endpoint are judged. Names and meanings: Binance, "USDⓈ-M Futures:
 * Error Codes".
 */
export const ERROR_CODES: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [-1000, errorCode("UNKNOWN", "ambiguous", "an unknown error while processing: it may have been processed")],
  [-1001, errorCode("DISCONNECTED", "ambiguous", "internal error: it may have reached the engine")],
  [-1002, errorCode("UNAUTHORIZED", "rejected", "refused before the engine: no permission", "account")],
  [-1003, errorCode("TOO_MANY_REQUESTS", "retry_after", "refused because of the request weight limit")],
  [-1006, errorCode("UNEXPECTED_RESP", "ambiguous", "documented: execution status unknown")],
  [-1007, errorCode("TIMEOUT", "ambiguous", "documented: send status unknown, execution status unknown")],
  [
    -1008,
    errorCode(
      "THROTTLED",
      "retry_after",
      "system protection refused it before the engine; reduce-only orders are exempt",
    ),
  ],
  [
    -1010,
    errorCode("ERROR_MSG_RECEIVED", "ambiguous", "not documented further: it may have reached the engine"),
  ],
  [
    -1011,
    errorCode(
      "NON_WHITE_LIST",
      "rejected",
      "refused before the engine: the IP may not use the route",
      "account",
    ),
  ],
  [-1013, errorCode("INVALID_MESSAGE", "rejected", "the request breaks a filter of the symbol", "rules")],
  [
    -1014,
    errorCode("UNKNOWN_ORDER_COMPOSITION", "rejected", "the request was never a valid order", "account"),
  ],
  [-1015, errorCode("TOO_MANY_ORDERS", "retry_after", "refused because of the account's order rate")],
  [-1016, errorCode("SERVICE_SHUTTING_DOWN", "ambiguous", "not documented whether it was still processed")],
  [-1020, errorCode("UNSUPPORTED_OPERATION", "rejected", "the request was never a valid order", "account")],
  [-1021, errorCode("INVALID_TIMESTAMP", "expired", "outside recvWindow: the venue executes nothing late")],
  [-1022, errorCode("INVALID_SIGNATURE", "rejected", "refused before the engine: wrong secret", "account")],
  [-1099, errorCode("NOT_FOUND", "rejected", "refused before the engine: not authorized", "account")],
  [
    -1100,
    errorCode(
      "ILLEGAL_CHARS",
      "rejected",
      "a parameter has letters that the endpoint does not take, such as the symbol's",
      "symbol",
    ),
  ],
  [-1101, errorCode("TOO_MANY_PARAMETERS", "rejected", "the request was never a valid order", "account")],
  [
    -1102,
    errorCode(
      "MANDATORY_PARAM_EMPTY_OR_MALFORMED",
      "rejected",
      "the request was never a valid order",
      "account",
    ),
  ],
  [-1103, errorCode("UNKNOWN_PARAM", "rejected", "the request was never a valid order", "account")],
  [-1104, errorCode("UNREAD_PARAMETERS", "rejected", "the request was never a valid order", "account")],
  [-1105, errorCode("PARAM_EMPTY", "rejected", "the request was never a valid order", "account")],
  [-1106, errorCode("PARAM_NOT_REQUIRED", "rejected", "the request was never a valid order", "account")],
  [-1109, errorCode("BAD_ACCOUNT", "rejected", "refused before the engine: invalid account", "account")],
  [-1111, errorCode("BAD_PRECISION", "rejected", "more decimals than the symbol allows", "rules")],
  [-1116, errorCode("INVALID_ORDER_TYPE", "rejected", "the request was never a valid order", "account")],
  [-1117, errorCode("INVALID_SIDE", "rejected", "the request was never a valid order", "account")],
  [-1121, errorCode("BAD_SYMBOL", "rejected", "no such symbol", "rules")],
  [-1122, errorCode("INVALID_SYMBOL_STATUS", "rejected", "the symbol's status forbids it", "rules")],
  [
    -1128,
    errorCode("OPTIONAL_PARAMS_BAD_COMBO", "rejected", "the request was never a valid order", "account"),
  ],
  [
    -1136,
    errorCode("INVALID_NEW_ORDER_RESP_TYPE", "rejected", "the request was never a valid order", "account"),
  ],
  [-2010, errorCode("NEW_ORDER_REJECTED", "rejected", "the engine refused it", "symbol")],
  [
    -2011,
    errorCode("CANCEL_REJECTED", "rejected", "about a cancellation; a placement was not accepted", "symbol"),
  ],
  [-2013, errorCode("NO_SUCH_ORDER", "rejected", "about a query; a placement was not accepted", "symbol")],
  [-2014, errorCode("BAD_API_KEY_FMT", "rejected", "refused before the engine: malformed key", "account")],
  [
    -2015,
    errorCode("REJECTED_MBX_KEY", "rejected", "refused before the engine: key, IP or permission", "account"),
  ],
  [-2016, errorCode("NO_TRADING_WINDOW", "rejected", "the symbol does not trade now", "rules")],
  [
    -2017,
    errorCode(
      "API_KEYS_LOCKED",
      "rejected",
      "refused before the engine: the account's keys are locked",
      "account",
    ),
  ],
  [
    -2018,
    errorCode("BALANCE_NOT_SUFFICIENT", "rejected", "the balance or margin does not suffice", "account"),
  ],
  [
    -2019,
    errorCode("MARGIN_NOT_SUFFICIENT", "rejected", "the balance or margin does not suffice", "account"),
  ],
  [-2020, errorCode("UNABLE_TO_FILL", "rejected", "the book cannot fill it; nothing was traded", "symbol")],
  [
    -2021,
    errorCode(
      "ORDER_WOULD_IMMEDIATELY_TRIGGER",
      "rejected",
      "a stop that would trigger at once is refused",
      "symbol",
    ),
  ],
  [
    -2022,
    errorCode(
      "REDUCE_ONLY_REJECT",
      "rejected",
      "there is no position left to reduce, or open orders reduce it already",
      "symbol",
    ),
  ],
  [-2023, errorCode("USER_IN_LIQUIDATION", "rejected", "the venue is liquidating the account", "account")],
  [
    -2024,
    errorCode("POSITION_NOT_SUFFICIENT", "rejected", "the position is smaller than the order", "symbol"),
  ],
  [-2025, errorCode("MAX_OPEN_ORDER_EXCEEDED", "rejected", "too many orders are open", "symbol")],
  [
    -2026,
    errorCode(
      "REDUCE_ONLY_ORDER_TYPE_NOT_SUPPORTED",
      "rejected",
      "the request was never a valid order",
      "account",
    ),
  ],
  [
    -2027,
    errorCode("MAX_LEVERAGE_RATIO", "rejected", "exceeds the position allowed at this leverage", "account"),
  ],
  [-2028, errorCode("MIN_LEVERAGE_RATIO", "rejected", "the balance or margin does not suffice", "account")],
  [-4003, errorCode("QTY_LESS_THAN_ZERO", "rejected", "quantity not above 0", "rules")],
  [-4004, errorCode("QTY_LESS_THAN_MIN_QTY", "rejected", "quantity below the symbol's minimum", "rules")],
  [-4005, errorCode("QTY_GREATER_THAN_MAX_QTY", "rejected", "quantity above the symbol's maximum", "rules")],
  [-4015, errorCode("INVALID_CL_ORD_ID_LEN", "rejected", "the request was never a valid order", "account")],
  [-4022, errorCode("WRONG_MARKET_STATUS", "rejected", "the symbol's status forbids it", "rules")],
  [
    -4023,
    errorCode("QTY_NOT_INCREASED_BY_STEP_SIZE", "rejected", "quantity not a multiple of the step", "rules"),
  ],
  [
    -4027,
    errorCode("INVALID_ACCOUNT_TYPE", "rejected", "refused before the engine: invalid account", "account"),
  ],
  [
    -4030,
    errorCode("INVALID_STEP_SIZE_PRECISION", "rejected", "more decimals than the symbol allows", "rules"),
  ],
  [-4060, errorCode("INVALID_POSITION_SIDE", "rejected", "the account is in hedge mode", "account")],
  [-4061, errorCode("POSITION_SIDE_NOT_MATCH", "rejected", "the account is in hedge mode", "account")],
  [-4062, errorCode("REDUCE_ONLY_CONFLICT", "rejected", "the account is in hedge mode", "account")],
  [-4087, errorCode("REDUCE_ONLY_ORDER_PERMISSION", "rejected", "the account may only reduce", "account")],
  [-4088, errorCode("NO_PLACE_ORDER_PERMISSION", "rejected", "the account may place no order", "account")],
  [
    -4108,
    errorCode("SYMBOL_NOT_TRADED", "rejected", "delivering, settling, closed or not yet open", "rules"),
  ],
  [
    -4109,
    errorCode("INACTIVE_ACCOUNT", "rejected", "the account must be activated by a transfer", "account"),
  ],
  [
    -4116,
    errorCode("DUPLICATED_CLIENT_ORDER_ID", "already_placed", "an open order has this client order id"),
  ],
  [
    -4118,
    errorCode("REDUCE_ONLY_MARGIN_CHECK_FAILED", "rejected", "other orders reduce it already", "symbol"),
  ],
  [
    -4131,
    errorCode(
      "MARKET_ORDER_REJECT",
      "rejected",
      "the best price of the book is outside the symbol's PERCENT_PRICE limits",
      "symbol",
    ),
  ],
  [
    -4139,
    errorCode("ORDER_TYPE_CANNOT_BE_MKT", "rejected", "the symbol takes no market orders now", "rules"),
  ],
  [
    -4140,
    errorCode("INVALID_OPENING_POSITION_STATUS", "rejected", "the symbol's status forbids it", "rules"),
  ],
  [-4141, errorCode("SYMBOL_ALREADY_CLOSED", "rejected", "the symbol is closed", "rules")],
  [-4144, errorCode("INVALID_PAIR", "rejected", "no such symbol", "rules")],
  [-4164, errorCode("MIN_NOTIONAL", "rejected", "notional below the symbol's minimum", "rules")],
  [
    -4192,
    errorCode("COOLING_OFF_PERIOD", "rejected", "the account is barred from trading for a while", "account"),
  ],
  [
    -4400,
    errorCode(
      "TRADING_QUANTITATIVE_RULE",
      "rejected",
      "the account may only reduce, and this order would not",
      "account",
    ),
  ],
  [
    -4401,
    errorCode(
      "LARGE_POSITION_SYM_RULE",
      "rejected",
      "the symbol may only be reduced, and this order would not",
      "symbol",
    ),
  ],
  [
    -4402,
    errorCode(
      "COMPLIANCE_BLACK_SYMBOL_RESTRICTION",
      "rejected",
      "the symbol is not open to the account's region",
      "symbol",
    ),
  ],
  [-5021, errorCode("FOK_ORDER_REJECT", "rejected", "the engine refused it; nothing was traded", "symbol")],
  [-5022, errorCode("GTX_ORDER_REJECT", "rejected", "the engine refused it; nothing was traded", "symbol")],
  [-5025, errorCode("LIMIT_ORDER_ONLY", "rejected", "the symbol takes no market orders now", "rules")],
  [
    -5028,
    errorCode(
      "ME_RECVWINDOW_REJECT",
      "expired",
      "outside recvWindow when the engine read it: it executes nothing late",
    ),
  ],
]);

/*
 * Codes in answers to other requests.
 */
export const OUTSIDE_RECV_WINDOW = -1021;
/** Of a query: the order does not exist, or cannot exist because the venue does not list the symbol. */
export const NO_SUCH_ORDER: ReadonlySet<number | undefined> = new Set([-2013, -1121]);
/** Of a cancellation. The message says whether the order is not open or the venue refuses for another reason. */
export const CANCEL_REJECTED = -2011;
/** Of a reduce-only order: nothing is left to reduce, or open orders reduce it already. Cancelling those makes room. */
export const NOTHING_TO_REDUCE: ReadonlySet<number | undefined> = new Set([-2022, -4118]);
/** Of a market order: the book is too far from the mark price now. */
export const BOOK_TOO_FAR = -4131;
/** Of an order: the account has placed too many. Other requests are not concerned. */
export const TOO_MANY_ORDERS = -1015;
/** Of the extension of a listen key: it has ended. */
export const NO_SUCH_LISTEN_KEY = -1125;

function errorCode(name: string, errorClass: ErrorClass, why: string, concerns?: Concern): ErrorCode {
  return { name, errorClass, why, concerns };
}
