import type { ExchangeError, Placement } from "./port.ts";

/** What an error answer means for the order that was sent. */
export type Disposition = Exclude<Placement["outcome"], "answered">;

/** Whom a refusal concerns: the symbol's rules or status, which may have changed; else the symbol; or the account. */
export type Concern = "rules" | "symbol" | "account";

interface Ruling {
  readonly name: string;
  readonly disposition: Disposition;
  readonly why: string;
  /** Of a refusal. */
  readonly concerns: Concern | undefined;
}

/**
 * The only place where an error code of the order endpoint is judged.
 * Names and meanings: Binance, "USDⓈ-M Futures: Error Codes".
 */
export const RULINGS: ReadonlyMap<number, Ruling> = new Map<number, Ruling>([
  [-1000, ruling("UNKNOWN", "ambiguous", "an unknown error while processing: it may have been processed")],
  [-1001, ruling("DISCONNECTED", "ambiguous", "internal error: nothing says on which side of the engine")],
  [-1002, ruling("UNAUTHORIZED", "rejected", "refused before the engine: no permission", "account")],
  [-1003, ruling("TOO_MANY_REQUESTS", "retry_after", "refused at the door for its weight")],
  [-1006, ruling("UNEXPECTED_RESP", "ambiguous", "documented: execution status unknown")],
  [-1007, ruling("TIMEOUT", "ambiguous", "documented: send status unknown, execution status unknown")],
  [-1008, ruling("THROTTLED", "retry_after", "system protection turned it away before the engine")],
  [-1015, ruling("TOO_MANY_ORDERS", "retry_after", "refused for the account's order rate")],
  [-1021, ruling("INVALID_TIMESTAMP", "expired", "outside recvWindow: the venue executes nothing late")],
  [-1022, ruling("INVALID_SIGNATURE", "rejected", "refused before the engine: wrong secret", "account")],
  [-1102, ruling("MANDATORY_PARAM_MALFORMED", "rejected", "the request was never a valid order", "account")],
  [-1111, ruling("BAD_PRECISION", "rejected", "more decimals than the symbol allows", "rules")],
  [-1121, ruling("BAD_SYMBOL", "rejected", "no such symbol", "rules")],
  [-2010, ruling("NEW_ORDER_REJECTED", "rejected", "the engine refused it", "symbol")],
  [
    -2011,
    ruling("CANCEL_REJECTED", "rejected", "speaks of a cancel; a placement was not accepted", "symbol"),
  ],
  [-2013, ruling("NO_SUCH_ORDER", "rejected", "speaks of a query; a placement was not accepted", "symbol")],
  [-2014, ruling("BAD_API_KEY_FMT", "rejected", "refused before the engine: malformed key", "account")],
  [
    -2015,
    ruling("REJECTED_MBX_KEY", "rejected", "refused before the engine: key, IP or permission", "account"),
  ],
  [-2018, ruling("BALANCE_NOT_SUFFICIENT", "rejected", "the account cannot carry it", "account")],
  [-2019, ruling("MARGIN_NOT_SUFFICIENT", "rejected", "the account cannot carry it", "account")],
  [-2020, ruling("UNABLE_TO_FILL", "rejected", "the book cannot fill it; nothing was traded", "symbol")],
  [
    -2021,
    ruling(
      "ORDER_WOULD_IMMEDIATELY_TRIGGER",
      "rejected",
      "a stop that would trigger at once is refused",
      "symbol",
    ),
  ],
  [
    -2022,
    ruling("REDUCE_ONLY_REJECT", "rejected", "no position left that this order could reduce", "symbol"),
  ],
  [
    -2027,
    ruling("MAX_LEVERAGE_RATIO", "rejected", "beyond the position allowed at this leverage", "account"),
  ],
  [-4003, ruling("QTY_LESS_THAN_ZERO", "rejected", "quantity not above 0", "rules")],
  [-4004, ruling("QTY_LESS_THAN_MIN_QTY", "rejected", "quantity below the symbol's minimum", "rules")],
  [-4005, ruling("QTY_GREATER_THAN_MAX_QTY", "rejected", "quantity above the symbol's maximum", "rules")],
  [
    -4023,
    ruling("QTY_NOT_INCREASED_BY_STEP_SIZE", "rejected", "quantity not a multiple of the step", "rules"),
  ],
  [-4061, ruling("INVALID_POSITION_SIDE", "rejected", "the account is in hedge mode", "account")],
  [-4087, ruling("REDUCE_ONLY_ORDER_PERMISSION", "rejected", "the account may only reduce", "account")],
  [-4088, ruling("NO_PLACE_ORDER_PERMISSION", "rejected", "the account may place no order", "account")],
  [-4108, ruling("SYMBOL_NOT_TRADED", "rejected", "delivering, settling, closed or not yet open", "rules")],
  [-4116, ruling("DUPLICATED_CLIENT_ORDER_ID", "already_placed", "an open order has this client order id")],
  [-4118, ruling("REDUCE_ONLY_MARGIN_CHECK_FAILED", "rejected", "other orders reduce it already", "symbol")],
  [-4131, ruling("MARKET_ORDER_REJECT", "rejected", "no price within the symbol's limits", "symbol")],
  [-4140, ruling("INVALID_OPENING_POSITION_STATUS", "rejected", "the symbol's status forbids it", "rules")],
  [-4141, ruling("SYMBOL_ALREADY_CLOSED", "rejected", "the symbol is closed", "rules")],
  [-4164, ruling("MIN_NOTIONAL", "rejected", "notional below the symbol's minimum", "rules")],
  [
    -4192,
    ruling("COOLING_OFF_PERIOD", "rejected", "the account is barred from trading for a while", "account"),
  ],
  [
    -4400,
    ruling(
      "TRADING_QUANTITATIVE_RULE",
      "rejected",
      "the account may only reduce, and this would not",
      "account",
    ),
  ],
]);

const TOO_MANY_REQUESTS = 429;
const BANNED = 418;
const TOO_MUCH_WEIGHT = -1003;
const BACKEND_TIMEOUT = 408;
/** Without a code it is the firewall's before the venue: 403 tells of requests that it took for an attack. */
const FORBIDDEN = 403;

const UNAVAILABLE = 503;

/**
 * What a 503 says when the request has certainly failed. Any other words, "Unknown error, please check your request or
 * try again later." among them, leave it open. Source: Binance, USDⓈ-M Futures, "HTTP Return Codes".
 */
export const FAILURES: ReadonlySet<string> = new Set([
  "Service Unavailable.",
  "Internal error; unable to process your request. Please try again.",
]);

type Failure = Readonly<
  Pick<ExchangeError, "code" | "httpStatus"> & Partial<Pick<ExchangeError, "said" | "notSent">>
>;

/** No request at all is wanted for a while: who goes on asking is banned for longer. */
export function asksForPause({ code, httpStatus }: Pick<Failure, "code" | "httpStatus">): boolean {
  return (
    httpStatus === TOO_MANY_REQUESTS ||
    httpStatus === BANNED ||
    code === TOO_MUCH_WEIGHT ||
    (httpStatus === FORBIDDEN && !RULINGS.has(code ?? 0))
  );
}

/**
 * Doubt is the default: whatever is neither a documented failure nor a 4xx may have executed. In particular a 5xx
 * without a code, which Binance says must not be taken for a failure.
 */
export function dispositionOf(failure: Failure): Disposition {
  const { code, httpStatus, said = "", notSent = false } = failure;
  if (asksForPause(failure)) return "retry_after";
  if (notSent || (httpStatus === UNAVAILABLE && FAILURES.has(said))) return "unavailable";
  const known = code === undefined ? undefined : RULINGS.get(code);
  if (known) return known.disposition;
  if (httpStatus === undefined || httpStatus === BACKEND_TIMEOUT) return "ambiguous";
  return httpStatus >= 400 && httpStatus < 500 ? "rejected" : "ambiguous";
}

/** Of a refusal; one whose code is not known is taken for the symbol's: if it is more, others are refused, too. */
export function concernOf(code: number | undefined): Concern {
  return (code === undefined ? undefined : RULINGS.get(code)?.concerns) ?? "symbol";
}

function ruling(name: string, disposition: Disposition, why: string, concerns?: Concern): Ruling {
  return { name, disposition, why, concerns };
}
