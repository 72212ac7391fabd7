import { createHmac } from "node:crypto";
import type { Query } from "./queries.ts";
import { missing, VenueError } from "./venue-error.ts";

export interface Key {
  readonly apiKey: string;
  readonly apiSecret: string;
}

const RECV_WINDOW_DEFAULT_MS = 5000;
const RECV_WINDOW_MAX_MS = 60_000;
/** How far a request's timestamp may be ahead of the venue's clock. */
const CLOCK_AHEAD_MAX_MS = 1000;
const UNAUTHORIZED = 401;

export interface SignedRequest {
  readonly apiKey: string | undefined;
  /** Exactly as in the URL, because the signature covers these bytes. */
  readonly queryString: string;
  readonly query: Query;
}

/** Listen keys need only the API key. */
export function checkApiKey(apiKey: string | undefined, key: Key): void {
  if (apiKey === undefined || apiKey === "") {
    throw new VenueError(-2014, "API-key format invalid.", UNAUTHORIZED);
  }
  if (apiKey !== key.apiKey) {
    throw new VenueError(-2015, "Invalid API-key, IP, or permissions for action.", UNAUTHORIZED);
  }
}

/** Checks a signed request's key, signature and time the way Binance does. */
export function authorize(request: SignedRequest, key: Key, nowMs: number): void {
  checkApiKey(request.apiKey, key);
  const { timestamp, signature, recvWindow = String(RECV_WINDOW_DEFAULT_MS) } = request.query;
  if (timestamp === undefined || !/^\d+$/.test(timestamp)) throw missing("timestamp");
  if (signature === undefined) throw missing("signature");

  const signed = request.queryString.replace(/&?signature=[^&]*/, "");
  if (signature !== createHmac("sha256", key.apiSecret).update(signed).digest("hex")) {
    throw new VenueError(-1022, "Signature for this request is not valid.");
  }

  const windowMs = Number(recvWindow);
  if (!(windowMs > 0 && windowMs <= RECV_WINDOW_MAX_MS)) {
    throw new VenueError(-1131, `recvWindow must be less than ${RECV_WINDOW_MAX_MS}`);
  }
  const sentAtMs = Number(timestamp);
  if (sentAtMs >= nowMs + CLOCK_AHEAD_MAX_MS) {
    throw new VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.");
  }
  if (nowMs - sentAtMs > windowMs) {
    throw new VenueError(-1021, "Timestamp for this request is outside of the recvWindow.");
  }
}
