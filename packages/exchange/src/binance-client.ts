import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createHmac } from "node:crypto";
import { parse } from "lossless-json";
import { USDMClient } from "binance";
import { z } from "zod";
import { errorAnswer } from "./answers.ts";
import { countsOf, type Limits } from "./limits.ts";
import { ExchangeError } from "./port.ts";
import type { Venue } from "./venue.ts";

export interface Credentials {
  readonly apiKey: string;
  readonly apiSecret: string;
}

/**
 * The client of the `binance` package, without its surprises: ids stay exact, request times are ours, nothing is
 * retried, redirected or printed, and errors are raw so that `failureOf` can reduce them.
 */
export class BinanceClient extends USDMClient {
  /** The venue's time when performance.now() was 0. A step of the wall clock must not move a send window. */
  #originMs = performance.timeOrigin;
  #timestampMs: number | undefined;

  constructor(venue: Venue, credentials: Credentials, timeoutMs: number, recvWindowMs: number) {
    super(
      {
        baseUrl: venue.baseUrl,
        api_key: credentials.apiKey,
        api_secret: credentials.apiSecret,
        recvWindow: recvWindowMs,
        disableTimeSync: true,
        // The package's own errors lack the HTTP status, which decides between "refused" and "may have executed".
        parseExceptions: false,
        filterUndefinedParams: true,
        customSignMessageFn: async (message, secret) =>
          createHmac("sha256", secret).update(message).digest("hex"),
      },
      {
        timeout: timeoutMs,
        maxRedirects: 0,
        httpAgent: new HttpAgent({ keepAlive: true }),
        httpsAgent: new HttpsAgent({ keepAlive: true }),
        // The machine's HTTP proxy leads to the internet, where a simulator cannot be reached.
        ...(venue.simulated ? { proxy: false as const } : {}),
        transformResponse: readAnswer,
      },
    );
  }

  now(): number {
    return Math.floor(performance.now() + this.#originMs);
  }

  /** @param atMs the performance.now() at which the venue's clock read `venueMs` */
  setClock(venueMs: number, atMs: number): void {
    this.#originMs = venueMs - atMs;
  }

  /** Like `postPrivate`, stamped with `timestampMs` or slightly earlier, never later. */
  postStamped(path: string, timestampMs: number, params: object): Promise<RawAnswer> {
    this.#timestampMs = timestampMs;
    try {
      return this.postPrivate(path, params);
    } finally {
      this.#timestampMs = undefined;
    }
  }

  /**
   * The client stamps a request with `Date.now() + getTimeOffset()`, evaluated synchronously in this order. If the
   * process stalls between the two clock readings, the stamp is earlier. The send window can shrink but never outlasts
   * what the caller recorded.
   */
  override getTimeOffset(): number {
    return (this.#timestampMs ?? this.now()) - Date.now();
  }
}

/** What the client answers, instead of the body alone: it does not pass headers on. */
export class RawAnswer {
  readonly body: unknown;
  /** What the venue says that it has counted. */
  readonly counts: Limits;

  constructor(body: unknown, counts: Limits) {
    this.body = body;
    this.counts = counts;
  }
}

function readAnswer(body: string, headers: { get(name: string): unknown }): RawAnswer {
  return new RawAnswer(
    parseLossless(body),
    countsOf((name) => headers.get(name)),
  );
}

/** Keeps every number as its exact text. A body that is not JSON stays text, which no schema accepts. */
export function parseLossless(body: string): unknown {
  try {
    return parse(body, null, (digits) => digits);
  } catch {
    return body;
  }
}

const rawFailure = z.object({
  code: z.string().optional().catch(undefined),
  response: z
    .object({
      status: z.number(),
      data: z.instanceof(RawAnswer),
      headers: z.object({
        "retry-after": z.string().optional().catch(undefined),
        date: z.string().optional().catch(undefined),
      }),
    })
    .optional()
    .catch(undefined),
});

/** The answer inside an error of the client, if the venue gave one. */
export function rawAnswerOf(error: unknown): RawAnswer | undefined {
  return rawFailure.safeParse(error).data?.response?.data;
}

const MS_PER_SECOND = 1000;
/** Nothing listens there, or the name cannot be resolved. Only occurs before a connection exists. */
const NOT_CONNECTED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

/**
 * Reduces an error of the client to what is safe to log. The original contains the API key, the signed URL and the
 * sockets, so it is not even kept as the cause.
 *
 * @param venueNowMs our estimate of the venue's time, because the end of a ban is given by the venue's clock
 */
export function failureOf(error: unknown, venueNowMs: number): ExchangeError {
  if (error instanceof ExchangeError) return error;
  const raw = rawFailure.safeParse(error).data;
  if (!raw?.response) {
    const why = raw?.code ?? "unknown failure";
    return new ExchangeError(`no answer (${why})`, { notSent: NOT_CONNECTED.has(why) });
  }

  const { status, headers } = raw.response;
  const data = raw.response.data.body;
  const body = errorAnswer.safeParse(data).data;
  const text = typeof data === "string" ? data : (body?.msg ?? "");
  const waits = [waitOf(headers["retry-after"], headers.date, venueNowMs), banLeftMs(text, venueNowMs)];
  const told = waits.filter((wait) => wait !== undefined);
  return new ExchangeError(
    body ? `HTTP ${status}: ${body.msg} (${body.code})` : `HTTP ${status} without an error code`,
    {
      httpStatus: status,
      said: text.trim(),
      ...(body ? { code: body.code } : {}),
      ...(told.length === 0 ? {} : { retryAfterMs: Math.max(SHORTEST_WAIT_MS, ...told) }),
    },
  );
}

/** Covers a small clock error and end times in whole seconds, so that we do not ask too early. */
const CLOCK_MARGIN_MS = 1_000;
const SHORTEST_WAIT_MS = 1_000;

/** Parses a Retry-After: seconds, or the time at which it ends by the clock of the answer's date header. */
function waitOf(
  retryAfter: string | undefined,
  date: string | undefined,
  venueNowMs: number,
): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(retryAfter)) return Math.ceil(Number(retryAfter) * MS_PER_SECOND);
  const endMs = Date.parse(retryAfter);
  const answeredMs = Date.parse(date ?? "");
  if (Number.isNaN(endMs)) return undefined;
  return endMs - (Number.isNaN(answeredMs) ? venueNowMs : answeredMs) + CLOCK_MARGIN_MS;
}

/** "Way too many requests; IP(…) banned until 1795692523301." */
const BANNED_UNTIL = /banned until (\d{13}|\d{10})(?!\d)/i;
const DIGITS_OF_MS = 13;

function banLeftMs(text: string, venueNowMs: number): number | undefined {
  const [, until] = BANNED_UNTIL.exec(text) ?? [];
  if (until === undefined) return undefined;
  const endMs = until.length === DIGITS_OF_MS ? Number(until) : Number(until) * MS_PER_SECOND;
  return endMs - venueNowMs + CLOCK_MARGIN_MS;
}
