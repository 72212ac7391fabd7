import type { ExchangeError, Placement } from "./port.ts";

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
  [-1008, errorCode("THROTTLED", "retry_after", "system protection refused it before the engine")],
  [-1015, errorCode("TOO_MANY_ORDERS", "retry_after", "refused because of the account's order rate")],
  [-1021, errorCode("INVALID_TIMESTAMP", "expired", "outside recvWindow: the venue executes nothing late")],
  [-1022, errorCode("INVALID_SIGNATURE", "rejected", "refused before the engine: wrong secret", "account")],
  [
    -1102,
    errorCode("MANDATORY_PARAM_MALFORMED", "rejected", "the request was never a valid order", "account"),
  ],
  [-1111, errorCode("BAD_PRECISION", "rejected", "more decimals than the symbol allows", "rules")],
  [-1121, errorCode("BAD_SYMBOL", "rejected", "no such symbol", "rules")],
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
  [-2022, errorCode("REDUCE_ONLY_REJECT", "rejected", "there is no position left to reduce", "symbol")],
  [
    -2027,
    errorCode("MAX_LEVERAGE_RATIO", "rejected", "exceeds the position allowed at this leverage", "account"),
  ],
  [-4003, errorCode("QTY_LESS_THAN_ZERO", "rejected", "quantity not above 0", "rules")],
  [-4004, errorCode("QTY_LESS_THAN_MIN_QTY", "rejected", "quantity below the symbol's minimum", "rules")],
  [-4005, errorCode("QTY_GREATER_THAN_MAX_QTY", "rejected", "quantity above the symbol's maximum", "rules")],
  [
    -4023,
    errorCode("QTY_NOT_INCREASED_BY_STEP_SIZE", "rejected", "quantity not a multiple of the step", "rules"),
  ],
  [-4061, errorCode("INVALID_POSITION_SIDE", "rejected", "the account is in hedge mode", "account")],
  [-4087, errorCode("REDUCE_ONLY_ORDER_PERMISSION", "rejected", "the account may only reduce", "account")],
  [-4088, errorCode("NO_PLACE_ORDER_PERMISSION", "rejected", "the account may place no order", "account")],
  [
    -4108,
    errorCode("SYMBOL_NOT_TRADED", "rejected", "delivering, settling, closed or not yet open", "rules"),
  ],
  [
    -4116,
    errorCode("DUPLICATED_CLIENT_ORDER_ID", "already_placed", "an open order has this client order id"),
  ],
  [
    -4118,
    errorCode("REDUCE_ONLY_MARGIN_CHECK_FAILED", "rejected", "other orders reduce it already", "symbol"),
  ],
  [-4131, errorCode("MARKET_ORDER_REJECT", "rejected", "no price within the symbol's limits", "symbol")],
  [
    -4140,
    errorCode("INVALID_OPENING_POSITION_STATUS", "rejected", "the symbol's status forbids it", "rules"),
  ],
  [-4141, errorCode("SYMBOL_ALREADY_CLOSED", "rejected", "the symbol is closed", "rules")],
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
]);

const TOO_MANY_REQUESTS = 429;
const BANNED = 418;
const TOO_MUCH_WEIGHT = -1003;
const BACKEND_TIMEOUT = 408;
/** A 403 without an error code comes from the venue's firewall, which took the requests for an attack. */
const FORBIDDEN = 403;

const UNAVAILABLE = 503;

/**
 * Texts of a 503 that mean the request has certainly failed. Any other text, such as "Unknown error, please check your
 * request or try again later.", leaves it open. Source: Binance, USDⓈ-M Futures, "HTTP Return Codes".
 */
export const FAILURES: ReadonlySet<string> = new Set([
  "Service Unavailable.",
  "Internal error; unable to process your request. Please try again.",
]);

type Failure = Readonly<
  Pick<ExchangeError, "code" | "httpStatus"> & Partial<Pick<ExchangeError, "said" | "notSent">>
>;

/** The venue accepts no requests for a while. Further requests would make a ban longer. */
export function asksForPause({ code, httpStatus }: Pick<Failure, "code" | "httpStatus">): boolean {
  return (
    httpStatus === TOO_MANY_REQUESTS ||
    httpStatus === BANNED ||
    code === TOO_MUCH_WEIGHT ||
    (httpStatus === FORBIDDEN && !ERROR_CODES.has(code ?? 0))
  );
}

/**
 * The default is ambiguous: anything but a documented failure or a 4xx may have executed. This includes a 5xx without a
 * code, which Binance says must not be treated as a failure.
 */
export function classifyError(failure: Failure): ErrorClass {
  const { code, httpStatus, said = "", notSent = false } = failure;
  if (asksForPause(failure)) return "retry_after";
  if (notSent || (httpStatus === UNAVAILABLE && FAILURES.has(said))) return "unavailable";
  const known = code === undefined ? undefined : ERROR_CODES.get(code);
  if (known) return known.errorClass;
  if (httpStatus === undefined || httpStatus === BACKEND_TIMEOUT) return "ambiguous";
  return httpStatus >= 400 && httpStatus < 500 ? "rejected" : "ambiguous";
}

/**
 * What a refusal applies to. An unknown code counts as the symbol's; if it affects more, other symbols are refused too.
 */
export function concernOf(code: number | undefined): Concern {
  return (code === undefined ? undefined : ERROR_CODES.get(code)?.concerns) ?? "symbol";
}

function errorCode(name: string, errorClass: ErrorClass, why: string, concerns?: Concern): ErrorCode {
  return { name, errorClass, why, concerns };
}
