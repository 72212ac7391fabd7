/** Judges what an error answer means for the order that was sent. */
import type { ExchangeError } from "./port.ts";
import { type Concern, ERROR_CODES, type ErrorClass, TOO_MANY_ORDERS } from "./error-codes.ts";

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

/**
 * The venue accepts no requests for a while. Further requests would make a ban longer. A 429 because of the account's
 * orders keeps only orders back: queries of what is in doubt must go on, and they count for another limit.
 */
export function asksForPause({ code, httpStatus }: Pick<Failure, "code" | "httpStatus">): boolean {
  return (
    (httpStatus === TOO_MANY_REQUESTS && code !== TOO_MANY_ORDERS) ||
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
