/** Requests that were not sent. They change nothing at the venue and use none of its limits. */
import { ExchangeError } from "./exchange-error.ts";
import type { Pause } from "./pauses.ts";
import type { Shortage } from "./usage.ts";

/** Asking again before `retryAfterMs` is useless, except if less is asked for. */
export class NotAskedError extends ExchangeError {}

/** Because of a pause. */
export class PausedError extends NotAskedError {
  constructor({ leftMs, reason }: Pause) {
    super(`not asked: the exchange wants no requests for ${Math.ceil(leftMs / 1_000)} s: ${reason}`, {
      retryAfterMs: leftMs,
    });
  }
}

/** Because the limits leave no room for its class. */
export class BudgetError extends NotAskedError {
  constructor(requestClass: string, { kind, used, limit, ceiling, leftMs }: Shortage) {
    super(
      `not asked: ${used} of the exchange's limit ${kind} of ${limit} are used, and requests of class ${requestClass} stop at ${ceiling}`,
      { retryAfterMs: leftMs },
    );
  }
}
