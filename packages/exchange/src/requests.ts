/** Every request to the venue passes here: none is sent during a pause, or beyond its class's share of a limit. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { z } from "zod";
import { firstIssue } from "./answers.ts";
import { type BinanceClient, failureOf, type RawAnswer, rawAnswerOf } from "./binance-client.ts";
import type { Budget, SetAside } from "./budget.ts";
import { asksForPause } from "./error-classes.ts";
import type { Cost } from "./limits.ts";
import { PausedError } from "./not-asked.ts";
import { PAUSE_SCOPES, type Pauses } from "./pauses.ts";
import { ExchangeError } from "./port.ts";
import type { RequestClass } from "./request-classes.ts";

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
  /** For the requests of the reading that is under way in an asynchronous context. */
  readonly #aside = new AsyncLocalStorage<SetAside>();
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
    this.#refuseInPause();
    const aside = requestClass === "vital" ? undefined : this.#aside.getStore();
    const ticket = await this.#budget.take(requestClass, cost, aside);
    const count = ({ counts }: RawAnswer) => this.#budget.reported(ticket, counts, this.#client.now());
    try {
      const answer = await withinTime(request(), this.#timeoutMs);
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

  /**
   * Runs a reading of several requests with room for all of them.
   *
   * @param weight of all of them
   * @throws ExchangeError without a request, during a pause or if the limits leave no room for all; or what `read` throws
   */
  async within<T>(requestClass: RequestClass, weight: number, read: () => Promise<T>): Promise<T> {
    this.#refuseInPause();
    const aside = await this.#budget.setAside(requestClass, weight);
    try {
      return await this.#aside.run(aside, read);
    } finally {
      aside.end();
    }
  }

  #refuseInPause(): void {
    const pause = this.#pauses.get("requests");
    if (pause !== undefined) throw new PausedError(pause);
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

function checked<T>(schema: z.ZodType<T>, path: string, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ExchangeError(`${path}: ${firstIssue(parsed.error)}`);
}

/** The client's own timeout restarts with every byte, so an answer that trickles in would never time out. */
async function withinTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new ExchangeError(`no answer within ${timeoutMs} ms`)),
    timeoutMs,
  ).unref();
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
