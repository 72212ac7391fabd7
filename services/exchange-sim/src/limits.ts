/**
 * The venue's limits: request weight a minute by IP, new orders by account. Above them it answers 429, and whoever goes
 * on is banned, each time for longer. Source: Binance, USDⓈ-M Futures, "General Info: LIMITS" and "Error Codes".
 */
import { z } from "zod";
import { VenueError } from "./venue-error.ts";

const positive = z.int().min(1);

export const limitsSchema = z.strictObject({
  weightPerMinute: positive,
  ordersPerMinute: positive,
  ordersPer10Sec: positive,
  /** Refused requests of an IP before it is banned, and before a ban becomes longer. */
  refusalsBeforeBan: positive,
  /** The first ban, ms. Each further one is twice as long, up to three days. */
  banMs: positive,
});
export type LimitNumbers = z.infer<typeof limitsSchema>;

/**
 * As `exchangeInfo` has them. The venue does not say how many requests it refuses before it bans; ten lets those arrive
 * that were under way at the first 429.
 */
export const VENUE_LIMITS: LimitNumbers = {
  weightPerMinute: 2400,
  ordersPerMinute: 1200,
  ordersPer10Sec: 300,
  refusalsBeforeBan: 10,
  banMs: 120_000,
};

const UNREACHED = 1_000_000_000;

/** For measurements of our own costs. Everything is counted and announced as ever, but nothing is refused. */
export const NO_LIMITS: LimitNumbers = {
  ...VENUE_LIMITS,
  weightPerMinute: UNREACHED,
  ordersPerMinute: UNREACHED,
  ordersPer10Sec: UNREACHED,
};

/** By the documentation of each endpoint. Any other weighs 1. */
const WEIGHTS: ReadonlyMap<string, number> = new Map([
  // An order counts against the account's order limits instead.
  ["POST /fapi/v1/order", 0],
  ["GET /fapi/v2/positionRisk", 5],
  ["GET /fapi/v3/positionRisk", 5],
  ["GET /fapi/v1/userTrades", 5],
  ["GET /fapi/v1/allOrders", 5],
  ["GET /fapi/v1/accountConfig", 5],
  ["GET /fapi/v1/positionSide/dual", 30],
  ["GET /fapi/v1/multiAssetsMargin", 30],
]);
const LISTS_OF_OPEN: ReadonlySet<string> = new Set([
  "GET /fapi/v1/openOrders",
  "GET /fapi/v1/openAlgoOrders",
]);
const OPEN_OF_ALL_SYMBOLS_WEIGHT = 40;

/** @param path as `METHOD /path` */
export function weightOf(path: string, symbol: string | undefined): number {
  if (LISTS_OF_OPEN.has(path) && symbol === undefined) return OPEN_OF_ALL_SYMBOLS_WEIGHT;
  return WEIGHTS.get(path) ?? 1;
}

const MINUTE_MS = 60_000;
const TEN_SEC_MS = 10_000;
const MS_PER_SECOND = 1_000;
const BAN_MAX_MS = 3 * 24 * 3_600_000;
/** A ban this long ago is forgotten: the next one is a first one. */
const BANS_FORGOTTEN_MS = 24 * 3_600_000;
const HTTP_TOO_MANY = 429;
const HTTP_BANNED = 418;
const TOO_MANY_REQUESTS = -1003;
const TOO_MANY_ORDERS = -1015;

interface Client {
  readonly weight: Tally;
  /** Refused since the last request that was not, or since the last ban. */
  refusals: number;
  bans: number;
  banEndMs: number;
}

export class Limits {
  /** May be changed at any time. What has been counted stays. */
  numbers: LimitNumbers;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();
  readonly #ordersPerMinute = new Tally(MINUTE_MS);
  readonly #ordersPer10Sec = new Tally(TEN_SEC_MS);
  /** Until when every IP is banned at a tester's word. */
  #orderedBanEndMs = 0;
  /** What a tester wants to know afterwards. */
  readonly seen = { weight: 0, weightPerMinuteMax: 0, refused: 0, banned: 0, ordersRefused: 0 };

  constructor(numbers: LimitNumbers, now: () => number) {
    this.numbers = numbers;
    this.#now = now;
  }

  /**
   * Counts a request, also one that is refused.
   *
   * @throws VenueError if the IP is above the limit or banned
   */
  admit(ip: string, weight: number): void {
    const nowMs = this.#now();
    const client = this.#clientOf(ip);
    this.seen.weight += weight;
    if (nowMs < this.#orderedBanEndMs) {
      this.seen.banned += 1;
      throw banned(ip, this.#orderedBanEndMs, nowMs);
    }
    if (nowMs < client.banEndMs) this.#refuse(client, ip, nowMs);
    const used = client.weight.add(weight, nowMs);
    this.seen.weightPerMinuteMax = Math.max(this.seen.weightPerMinuteMax, used);
    if (used > this.numbers.weightPerMinute) this.#refuse(client, ip, nowMs);
    client.refusals = 0;
  }

  /** Bans every IP from now on. 0 ends such a ban. Requests during it do not make it longer. */
  ban(ms: number): void {
    this.#orderedBanEndMs = this.#now() + ms;
  }

  /** What the IP that has used most has used of this minute. */
  get weightThisMinute(): number {
    const nowMs = this.#now();
    return Math.max(0, ...[...this.#clients.values()].map(({ weight }) => weight.count(nowMs)));
  }

  /** What the IP has used of this minute. */
  weightUsed(ip: string): number {
    return this.#clientOf(ip).weight.count(this.#now());
  }

  /**
   * Counts an order, whether or not it is accepted afterwards. One above the limit is not counted.
   *
   * @throws VenueError if the account has sent too many
   */
  admitOrder(): void {
    const nowMs = this.#now();
    const { ordersPer10Sec, ordersPerMinute } = this.numbers;
    if (this.#ordersPer10Sec.count(nowMs) >= ordersPer10Sec) this.#refuseOrder(ordersPer10Sec, "TEN_SECONDS");
    if (this.#ordersPerMinute.count(nowMs) >= ordersPerMinute) this.#refuseOrder(ordersPerMinute, "MINUTE");
    this.#ordersPer10Sec.add(1, nowMs);
    this.#ordersPerMinute.add(1, nowMs);
  }

  /** Only answers to accepted orders have these. */
  orderHeaders(): Record<string, string> {
    const nowMs = this.#now();
    return {
      "x-mbx-order-count-10s": String(this.#ordersPer10Sec.count(nowMs)),
      "x-mbx-order-count-1m": String(this.#ordersPerMinute.count(nowMs)),
    };
  }

  /** For `exchangeInfo`. */
  rateLimits() {
    const { weightPerMinute, ordersPerMinute, ordersPer10Sec } = this.numbers;
    return [
      { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: weightPerMinute },
      { rateLimitType: "ORDERS", interval: "MINUTE", intervalNum: 1, limit: ordersPerMinute },
      { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: ordersPer10Sec },
    ];
  }

  #clientOf(ip: string): Client {
    const known = this.#clients.get(ip);
    if (known) return known;
    const client = { weight: new Tally(MINUTE_MS), refusals: 0, bans: 0, banEndMs: 0 };
    this.#clients.set(ip, client);
    return client;
  }

  #refuse(client: Client, ip: string, nowMs: number): never {
    client.refusals += 1;
    if (client.refusals > this.numbers.refusalsBeforeBan) this.#ban(client, nowMs);
    if (nowMs < client.banEndMs) {
      this.seen.banned += 1;
      throw banned(ip, client.banEndMs, nowMs);
    }
    this.seen.refused += 1;
    throw new VenueError(
      TOO_MANY_REQUESTS,
      `Too many requests; current limit of IP(${ip}) is ${this.numbers.weightPerMinute} requests per minute. Please use the websocket for live updates to avoid polling the API.`,
      HTTP_TOO_MANY,
      secondsUntil(client.weight.endMs, nowMs),
    );
  }

  #ban(client: Client, nowMs: number): void {
    if (nowMs - client.banEndMs > BANS_FORGOTTEN_MS) client.bans = 0;
    client.banEndMs = nowMs + Math.min(this.numbers.banMs * 2 ** client.bans, BAN_MAX_MS);
    client.bans += 1;
    client.refusals = 0;
  }

  /** The documentation of spot trading says that this 429 has no Retry-After; that of futures does not say. */
  #refuseOrder(limit: number, interval: string): never {
    this.seen.ordersRefused += 1;
    throw new VenueError(
      TOO_MANY_ORDERS,
      `Too many new orders; current limit is ${limit} orders per ${interval}.`,
      HTTP_TOO_MANY,
    );
  }
}

export function banned(ip: string, endMs: number, nowMs: number): VenueError {
  return new VenueError(
    TOO_MANY_REQUESTS,
    `Way too many requests; IP(${ip}) banned until ${endMs}. Please use the websocket for live updates to avoid bans.`,
    HTTP_BANNED,
    secondsUntil(endMs, nowMs),
  );
}

function secondsUntil(endMs: number, nowMs: number): number {
  return Math.ceil((endMs - nowMs) / MS_PER_SECOND);
}

/** Counts in intervals of the clock: a minute ends when the next one begins, not 60 s after its first request. */
class Tally {
  readonly #lengthMs: number;
  #startMs = 0;
  #count = 0;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  get endMs(): number {
    return this.#startMs + this.#lengthMs;
  }

  add(amount: number, nowMs: number): number {
    this.#count = this.count(nowMs) + amount;
    return this.#count;
  }

  count(nowMs: number): number {
    const startMs = nowMs - (nowMs % this.#lengthMs);
    if (startMs !== this.#startMs) {
      this.#startMs = startMs;
      this.#count = 0;
    }
    return this.#count;
  }
}
