/** Every request to the venue passes here: none is sent during a pause, or beyond its class's share of a limit. */
import { once } from "node:events";
import type { z } from "zod";
import { firstIssue } from "./answers.ts";
import { type BinanceClient, failureOf, type RawAnswer, rawAnswerOf } from "./binance-client.ts";
import type { Budget, RequestClass, Shortage } from "./budget.ts";
import { asksForPause } from "./error-classes.ts";
import type { Cost } from "./limits.ts";
import { type Pause, PAUSE_SCOPES, type Pauses } from "./pauses.ts";
import { ExchangeError } from "./port.ts";

/** Binance's request limits are per minute. Without a Retry-After, a pause lasts this long. */
export const RATE_LIMIT_WINDOW_MS = 60_000;
/** How long a failed request counts as a problem if no further request is made. */
const FAILURE_TELLS_MS = 10_000;

interface Query<T> {
  requestClass: RequestClass;
  cost: Cost;
  schema: z.ZodType<T>;
  path: string;
  request: () => Promise<RawAnswer>;
}

export class Requests {
  readonly #client: BinanceClient;
  readonly #pauses: Pauses;
  readonly #budget: Budget;
  readonly #timeoutMs: number;
  /** The last request, if it got no usable answer. */
  #lastFailure: { message: string; atMs: number } | undefined;

  constructor(client: BinanceClient, pauses: Pauses, budget: Budget, timeoutMs: number) {
    this.#client = client;
    this.#pauses = pauses;
    this.#budget = budget;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes one request and records a failure.
   *
   * @throws ExchangeError without a request, during a pause or if the limits leave no room for it; or if it fails
   */
  async ask<T>({ requestClass, cost, schema, path, request }: Query<T>): Promise<T> {
    const pause = this.#pauses.get("requests");
    if (pause !== undefined) throw new PausedError(pause);
    const shortage = this.#budget.shortage(requestClass, cost);
    if (shortage !== undefined) throw new BudgetError(requestClass, shortage);
    const ticket = this.#budget.spend(cost);
    const count = ({ counts }: RawAnswer) => this.#budget.reported(ticket, counts, this.#client.now());
    try {
      const answer = await Promise.race([request(), deadline(this.#timeoutMs)]);
      count(answer);
      const parsed = checked(schema, path, answer.body);
      this.#lastFailure = undefined;
      return parsed;
    } catch (error) {
      const refusal = rawAnswerOf(error);
      if (refusal !== undefined) count(refusal);
      const failure = failureOf(error, this.#client.now());
      const atMs = performance.now();
      // A venue that asks for a pause has answered. The pause is reported separately.
      this.#lastFailure = asksForPause(failure) ? undefined : { message: failure.message, atMs };
      if (asksForPause(failure)) {
        this.#pauses.ask("requests", {
          leftMs: failure.retryAfterMs ?? RATE_LIMIT_WINDOW_MS,
          reason: failure.message,
        });
      }
      throw failure;
    }
  }

  /** The last answer was an error that says what we wanted to know. */
  forgetFailure(): void {
    this.#lastFailure = undefined;
  }

  /** Why the venue cannot be used now. */
  problems(): string[] {
    for (const scope of PAUSE_SCOPES) {
      const pause = this.#pauses.get(scope);
      if (pause !== undefined)
        return [`the exchange wants no ${scope} for ${Math.ceil(pause.leftMs / 1_000)} s: ${pause.reason}`];
    }
    const failure = this.#lastFailure;
    if (failure === undefined || performance.now() - failure.atMs > FAILURE_TELLS_MS) return [];
    return [`the exchange gave no usable answer: ${failure.message}`];
  }
}

/** A request that was not made because of a pause. */
export class PausedError extends ExchangeError {
  constructor({ leftMs, reason }: Pause) {
    super(`not asked: the exchange wants no requests for ${Math.ceil(leftMs / 1_000)} s: ${reason}`, {
      retryAfterMs: leftMs,
    });
  }
}

/** A request that was not made because the limits leave no room for its class. */
class BudgetError extends ExchangeError {
  constructor(requestClass: RequestClass, { kind, used, limit, ceiling, leftMs }: Shortage) {
    super(
      `not asked: ${used} of the exchange's limit ${kind} of ${limit} are used, and requests of class ${requestClass} stop at ${ceiling}`,
      { retryAfterMs: leftMs },
    );
  }
}

function checked<T>(schema: z.ZodType<T>, path: string, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ExchangeError(`${path}: ${firstIssue(parsed.error)}`);
}

/** The client's own timeout restarts with every byte, so an answer that trickles in would never time out. */
async function deadline(timeoutMs: number): Promise<never> {
  await once(AbortSignal.timeout(timeoutMs), "abort");
  throw new ExchangeError(`no answer within ${timeoutMs} ms`);
}
