import type { ExchangeError, Placement } from "./port.ts";

/** What an error answer means for the order that was sent. */
export type Disposition = Exclude<Placement["outcome"], "answered">;

interface Ruling {
  readonly name: string;
  readonly disposition: Disposition;
  readonly why: string;
}

/**
 * The only place where an error code of the order endpoint is judged.
 * Names and meanings: Binance, "USDⓈ-M Futures: Error Codes".
 */
export const RULINGS: ReadonlyMap<number, Ruling> = new Map<number, Ruling>([
  [-1000, ruling("UNKNOWN", "ambiguous", "an unknown error while processing: it may have been processed")],
  [-1001, ruling("DISCONNECTED", "ambiguous", "internal error: nothing says on which side of the engine")],
  [-1002, ruling("UNAUTHORIZED", "rejected", "refused before the engine: no permission")],
  [-1003, ruling("TOO_MANY_REQUESTS", "retry_after", "refused at the door for its weight")],
  [-1006, ruling("UNEXPECTED_RESP", "ambiguous", "documented: execution status unknown")],
  [-1007, ruling("TIMEOUT", "ambiguous", "documented: send status unknown, execution status unknown")],
  [-1008, ruling("THROTTLED", "retry_after", "system protection turned it away before the engine")],
  [-1015, ruling("TOO_MANY_ORDERS", "retry_after", "refused for the account's order rate")],
  [-1021, ruling("INVALID_TIMESTAMP", "expired", "outside recvWindow: the venue executes nothing late")],
  [-1022, ruling("INVALID_SIGNATURE", "rejected", "refused before the engine: wrong secret")],
  [-1102, ruling("MANDATORY_PARAM_MALFORMED", "rejected", "the request was never a valid order")],
  [-1111, ruling("BAD_PRECISION", "rejected", "more decimals than the symbol allows")],
  [-1121, ruling("BAD_SYMBOL", "rejected", "no such symbol")],
  [-2010, ruling("NEW_ORDER_REJECTED", "rejected", "the engine refused it")],
  [-2011, ruling("CANCEL_REJECTED", "rejected", "speaks of a cancel; a placement was not accepted")],
  [-2013, ruling("NO_SUCH_ORDER", "rejected", "speaks of a query; a placement was not accepted")],
  [-2014, ruling("BAD_API_KEY_FMT", "rejected", "refused before the engine: malformed key")],
  [-2015, ruling("REJECTED_MBX_KEY", "rejected", "refused before the engine: key, IP or permission")],
  [-2018, ruling("BALANCE_NOT_SUFFICIENT", "rejected", "the account cannot carry it")],
  [-2019, ruling("MARGIN_NOT_SUFFICIENT", "rejected", "the account cannot carry it")],
  [-2020, ruling("UNABLE_TO_FILL", "rejected", "the book cannot fill it; nothing was traded")],
  [
    -2021,
    ruling("ORDER_WOULD_IMMEDIATELY_TRIGGER", "rejected", "a stop that would trigger at once is refused"),
  ],
  [-2022, ruling("REDUCE_ONLY_REJECT", "rejected", "no position left that this order could reduce")],
  [-2027, ruling("MAX_LEVERAGE_RATIO", "rejected", "beyond the position allowed at this leverage")],
  [-4003, ruling("QTY_LESS_THAN_ZERO", "rejected", "quantity not above 0")],
  [-4004, ruling("QTY_LESS_THAN_MIN_QTY", "rejected", "quantity below the symbol's minimum")],
  [-4005, ruling("QTY_GREATER_THAN_MAX_QTY", "rejected", "quantity above the symbol's maximum")],
  [-4023, ruling("QTY_NOT_INCREASED_BY_STEP_SIZE", "rejected", "quantity not a multiple of the step")],
  [-4061, ruling("INVALID_POSITION_SIDE", "rejected", "the account is in hedge mode")],
  [-4116, ruling("DUPLICATED_CLIENT_ORDER_ID", "already_placed", "an open order has this client order id")],
  [-4164, ruling("MIN_NOTIONAL", "rejected", "notional below the symbol's minimum")],
  [-4192, ruling("COOLING_OFF_PERIOD", "rejected", "the account is barred from trading for a while")],
  [-4400, ruling("TRADING_QUANTITATIVE_RULE", "rejected", "the account may only reduce, and this would not")],
]);

const TOO_MANY_REQUESTS = 429;
const BANNED = 418;
const TOO_MUCH_WEIGHT = -1003;
const BACKEND_TIMEOUT = 408;
/** Without a code it is the firewall's before the venue: 403 tells of requests that it took for an attack. */
const FORBIDDEN = 403;

type Failure = Readonly<Pick<ExchangeError, "code" | "httpStatus">>;

/** No request at all is wanted for a while: who goes on asking is banned for longer. */
export function asksForPause({ code, httpStatus }: Failure): boolean {
  return (
    httpStatus === TOO_MANY_REQUESTS ||
    httpStatus === BANNED ||
    code === TOO_MUCH_WEIGHT ||
    (httpStatus === FORBIDDEN && !RULINGS.has(code ?? 0))
  );
}

/**
 * Doubt is the default: whatever is neither a documented code nor a 4xx may have executed. In particular a 5xx
 * without a code, which Binance says must not be taken for a failure.
 */
export function dispositionOf(failure: Failure): Disposition {
  const { code, httpStatus } = failure;
  if (asksForPause(failure)) return "retry_after";
  const known = code === undefined ? undefined : RULINGS.get(code);
  if (known) return known.disposition;
  if (httpStatus === undefined || httpStatus === BACKEND_TIMEOUT) return "ambiguous";
  return httpStatus >= 400 && httpStatus < 500 ? "rejected" : "ambiguous";
}

function ruling(name: string, disposition: Disposition, why: string): Ruling {
  return { name, disposition, why };
}
