import {
  classifyError,
  ERROR_CODES,
  type ErrorClass,
  FAILURES,
  NO_SUCH_LISTEN_KEY,
  NO_SUCH_ORDER,
  OUTSIDE_RECV_WINDOW,
  TOO_MANY_ORDERS,
} from "@quantum/exchange";
import { code, page, table } from "./markdown.ts";

const ERROR_CLASSES: Readonly<Record<ErrorClass, string>> = {
  rejected:
    "the exchange refused it: REJECTED, never sent again; its reason says what that applies to: `rejected_by_rules` to the symbol's rules or status, which are read again at once; `rejected_for_account` to the account; `rejected_by_exchange` to the order or its symbol",
  expired: "it reached the exchange outside its send window: NOT_PLACED `execute_expired`",
  retry_after:
    "refused before the engine: NOT_PLACED `rate_limited`, and no orders until the requested pause is over",
  unavailable: "the exchange failed, or was not reached: NOT_PLACED `exchange_unavailable`",
  already_placed: "an open order has our client order id: it is queried and adopted",
  ambiguous: "it may have been executed: UNKNOWN, queried by its client order id, never sent again",
};

/** One status of each kind that is judged without a code; undefined: no answer at all. */
const STATUSES = [undefined, 302, 400, 403, 408, 418, 429, 500, 503] as const;

export function renderExchangeErrors(): string {
  return page(
    "What an error of the exchange means for an order",
    "Judged in one place, `error-codes.ts` and `error-classes.ts` of `packages/exchange/src`. Names: Binance, USDⓈ-M Futures error codes.",
    table(
      ["errorClass", "what becomes of the order"],
      Object.entries(ERROR_CLASSES).map(([errorClass, what]) => [code(errorClass), what]),
    ),
    "## By code",
    table(
      ["code", "name", "errorClass", "concerns", "why"],
      [...ERROR_CODES].map(([number, { name, errorClass, concerns, why }]) => [
        String(number),
        code(name),
        code(errorClass),
        concerns ?? "",
        why,
      ]),
    ),
    "## Without a known code, by HTTP status",
    "429 and 418 win over any code. Doubt is the default: of statuses alone, only a 4xx says that nothing was executed.",
    table(
      ["status", "errorClass"],
      STATUSES.map((httpStatus) => [
        String(httpStatus ?? "no answer"),
        code(classifyError({ code: undefined, httpStatus })),
      ]),
    ),
    "## By words and by connection",
    "A 503 that says one of these, with any code, is a failure (`unavailable`); one that says anything else, as `Unknown error, please check your request or try again later.` does, is `ambiguous`:",
    [...FAILURES].map((said) => `- \`${said}\``).join("\n"),
    "Where no connection came to be (`ECONNREFUSED`, `ENOTFOUND`, `EAI_AGAIN`), the order was not sent (`unavailable`); one that breaks later is `ambiguous`.",
    "## In answers to other requests",
    table(
      ["code", "request", "what follows"],
      [
        [
          String(OUTSIDE_RECV_WINDOW),
          "any signed read",
          "the clock is set by the exchange's, and the read is repeated once",
        ],
        [
          [...NO_SUCH_ORDER].join(", "),
          "a query of an order",
          "there is no such order, as far as this query shows",
        ],
        [
          String(NO_SUCH_LISTEN_KEY),
          "extending a listen key",
          "the key has ended, and the stream asks for a new one",
        ],
        [
          String(TOO_MANY_ORDERS),
          "an order, with 400 or 429",
          "no order for a minute; other requests are sent, because they count for another limit",
        ],
        [
          "-1003, 429, 418",
          "any",
          "no request until the pause is over: by `Retry-After`, or the end of the ban in the text, the later of the two; a minute if neither is given",
        ],
      ],
    ),
  );
}
