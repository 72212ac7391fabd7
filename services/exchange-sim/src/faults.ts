import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Execution } from "./venue.ts";
import { refusal, VenueError } from "./venue-error.ts";

export const FAULT_KINDS = [
  /** Answers after `ms`. */
  "latency",
  /** Refused because of the request rate, for `ms`. */
  "429",
  /** Banned for `ms` for continuing after a 429. */
  "418",
  "503_before",
  /** A 503 with the text that the venue documents as a failure. */
  "503_failed",
  /** A 503, although the order was executed. */
  "503_after",
  /** A backend timeout, although the order was executed. */
  "-1007",
  "-1007_not_executed",
  /** Never answers. */
  "timeout_before",
  "timeout_after",
  /** Answers NEW with nothing executed; fills after `ms`. */
  "late_ack",
  /**
   * Executed and answered with 503. For `ms` queries do not find it, and for half as long lists of orders do not
   * either.
   */
  "lag",
  /** Fills half and expires, as a MARKET order does when the book is exhausted. */
  "partial_fill",
  /** Executed, but the answer is empty, or is not ours, or the socket is reset. */
  "empty_body",
  "wrong_body",
  "reset",
  /** Refused with `code`. */
  "error",
  /** A cancellation comes too late: just before it, its order was filled or triggered. */
  "met_first",
] as const;

export const faultSchema = z
  .strictObject({
    kind: z.enum(FAULT_KINDS),
    /** How many requests it affects. */
    count: z.int().min(1).default(1),
    ms: z.int().min(0).default(1000),
    /** Any symbol if absent. A cancellation of an algo order names none. */
    symbol: z.string().optional(),
    /** Which requests it affects, as `METHOD /path`. */
    path: z
      .string()
      .regex(/^(GET|POST|PUT|DELETE) \//)
      .default("POST /fapi/v1/order"),
    code: z.int().optional(),
    /** Where a 429 or 418 says how long it lasts: in its Retry-After header, in the text as the end of a ban, or not at all. */
    tells: z.enum(["header", "text", "nothing"]).default("header"),
  })
  .refine((fault) => fault.kind !== "error" || fault.code !== undefined, "error needs a code");

export type Fault = z.infer<typeof faultSchema>;

const MS_PER_SECOND = 1000;
const HTTP_UNAVAILABLE = 503;
const HTTP_BACKEND_TIMEOUT = 408;
const UNAVAILABLE_TEXT = "Unknown error, please check your request or try again later.";
const FAILED_TEXT = "Internal error; unable to process your request. Please try again.";
const TIMEOUT_TEXT =
  "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";

/** The tester's faults. A request meets the first one that matches. */
export class Faults {
  #pending: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#pending.push({ fault, left: fault.count });
  }

  clear(): void {
    this.#pending = [];
  }

  /** Faults with requests left to affect. */
  pending(): Fault[] {
    return this.#pending.map(({ fault, left }) => ({ ...fault, count: left }));
  }

  take(path: string, symbol: string | undefined): Fault | undefined {
    const entry = this.#pending.find(
      ({ fault }) => fault.path === path && (fault.symbol === undefined || fault.symbol === symbol),
    );
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left === 0) this.#pending = this.#pending.filter((other) => other !== entry);
    return entry.fault;
  }
}

/** A fault's effect before the request reaches the venue. Throws if the request ends there. */
export async function before(fault: Fault, request: FastifyRequest, nowMs: number): Promise<void> {
  switch (fault.kind) {
    case "latency":
      await sleep(fault.ms);
      return;
    case "429":
    case "418":
      throw tooMany(fault, nowMs);
    case "503_before":
      throw new VenueError(-1000, UNAVAILABLE_TEXT, HTTP_UNAVAILABLE);
    case "503_failed":
      throw new VenueError(-1001, FAILED_TEXT, HTTP_UNAVAILABLE);
    case "-1007_not_executed":
      throw new VenueError(-1007, TIMEOUT_TEXT, HTTP_BACKEND_TIMEOUT);
    case "timeout_before":
      await silence(request);
      throw new VenueError(-1007, TIMEOUT_TEXT, HTTP_BACKEND_TIMEOUT);
    case "error":
      throw refusal(fault.code ?? -1000);
    default:
  }
}

function tooMany({ kind, tells, ms }: Fault, nowMs: number): VenueError {
  const until = tells === "text" ? ` until ${nowMs + ms}` : "";
  const isBan = kind === "418" || until !== "";
  return new VenueError(
    -1003,
    isBan ? `Way too many requests; IP banned${until}.` : "Too many requests.",
    Number(kind),
    tells === "header" ? Math.ceil(ms / MS_PER_SECOND) : undefined,
  );
}

export function executionOf(fault: Fault | undefined): Execution {
  if (fault?.kind === "partial_fill") return "half";
  if (fault?.kind === "lag") return { lagMs: fault.ms };
  return fault?.kind === "late_ack" ? { lateMs: fault.ms } : "at_once";
}

/** A fault's effect on a finished answer: returns the body to send instead. */
export async function after(
  fault: Fault,
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
): Promise<unknown> {
  switch (fault.kind) {
    case "503_after":
    case "lag":
      reply.code(HTTP_UNAVAILABLE).removeHeader("content-length");
      return JSON.stringify({ code: -1000, msg: UNAVAILABLE_TEXT });
    case "-1007":
      reply.code(HTTP_BACKEND_TIMEOUT).removeHeader("content-length");
      return JSON.stringify({ code: -1007, msg: TIMEOUT_TEXT });
    case "empty_body":
      reply.removeHeader("content-length");
      return "";
    case "wrong_body":
      reply.removeHeader("content-length");
      return "<html><body>Moved</body></html>";
    case "reset":
      request.raw.socket.destroy();
      return silence(request);
    case "timeout_after":
      return silence(request);
    default:
      return body;
  }
}

/** Resolves only when the connection closes. */
function silence(request: FastifyRequest): Promise<void> {
  return new Promise((resolve) => {
    if (request.raw.socket.destroyed) resolve();
    else request.raw.socket.once("close", resolve);
  });
}
