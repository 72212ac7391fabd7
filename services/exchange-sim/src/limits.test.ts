import { afterEach, describe, expect, it } from "vitest";
import { Limits, VENUE_LIMITS } from "./limits.ts";
import { TestVenue } from "./requests.fixture.ts";
import type { VenueError } from "./venue-error.ts";

const MINUTE_MS = 60_000;
/** The beginning of a minute. */
const START_MS = 1_795_000_020_000;
const IP = "127.0.0.1";

let venue: TestVenue | undefined;
afterEach(async () => {
  await venue?.close();
  venue = undefined;
});

describe("the weight of a request", () => {
  it.each([
    ["GET /fapi/v1/exchangeInfo", 1, {}],
    ["GET /fapi/v1/openOrders", 1, { symbol: "BTCUSDT" }],
    ["GET /fapi/v1/openOrders", 40, {}],
    ["GET /fapi/v2/positionRisk", 5, {}],
    ["GET /fapi/v3/positionRisk", 5, { symbol: "BTCUSDT" }],
    ["GET /fapi/v1/userTrades", 5, { symbol: "BTCUSDT" }],
    ["GET /fapi/v1/allOrders", 5, { symbol: "BTCUSDT" }],
    ["GET /fapi/v1/order", 1, { symbol: "BTCUSDT", orderId: "1" }],
    ["GET /fapi/v1/positionSide/dual", 30, {}],
    ["POST /fapi/v1/listenKey", 1, {}],
    ["POST /fapi/v1/order", 0, { symbol: "BTCUSDT" }],
  ] as const)("of %s is %i with %o, and its answer tells what was used", async (endpoint, weight, query) => {
    venue = await TestVenue.start({ now: () => START_MS });
    const before = await venue.public("GET /fapi/v1/ping");
    expect(before.headers.get("x-mbx-used-weight-1m")).toBe("1");
    const { headers } = await venue.signed(endpoint, query);
    expect(headers.get("x-mbx-used-weight-1m")).toBe(String(1 + weight));
    expect(headers.get("x-mbx-order-count-1m")).toBeNull();
  });
});

describe("the limits of a venue", () => {
  it("are those that it announces", async () => {
    venue = await TestVenue.start({ limits: VENUE_LIMITS });
    const limit = (rateLimitType: string, interval: string, intervalNum: number, of: number) => ({
      rateLimitType,
      interval,
      intervalNum,
      limit: of,
    });
    expect((await venue.public("GET /fapi/v1/exchangeInfo")).body).toMatchObject({
      rateLimits: [
        limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
        limit("ORDERS", "MINUTE", 1, 1200),
        limit("ORDERS", "SECOND", 10, 300),
      ],
    });
  });

  it("lead to 429, then to a ban whose end is in the text", async () => {
    let nowMs = START_MS + 20_000;
    venue = await TestVenue.start({
      now: () => nowMs,
      limits: { ...VENUE_LIMITS, weightPerMinute: 3, refusalsBeforeBan: 2 },
    });
    const asked = venue;
    const ping = () => asked.public("GET /fapi/v1/ping");
    for (let i = 0; i < 3; i += 1) expect((await ping()).status).toBe(200);
    for (let i = 0; i < 2; i += 1) {
      const refused = await ping();
      expect(refused).toMatchObject({ status: 429, body: { code: -1003, msg: expect.stringContaining(IP) } });
      expect(refused.headers.get("retry-after")).toBe("40");
      expect(Number(refused.headers.get("x-mbx-used-weight-1m"))).toBeGreaterThan(3);
    }
    const banned = await ping();
    const endMs = nowMs + 120_000;
    expect(banned).toMatchObject({
      status: 418,
      body: { code: -1003, msg: expect.stringContaining(`IP(${IP}) banned until ${endMs}.`) },
    });
    expect(banned.headers.get("retry-after")).toBe("120");
    nowMs = endMs - 1;
    expect((await ping()).status).toBe(418);
    nowMs = endMs;
    expect((await ping()).status).toBe(200);
    expect(await venue.control("/sim/state")).toMatchObject({
      limits: { refused: 2, banned: 2, weight: 8, weightPerMinuteMax: 6 },
    });
  });

  it("count orders on the answers of accepted orders alone, and refuse those above", async () => {
    venue = await TestVenue.start({ limits: { ...VENUE_LIMITS, ordersPer10Sec: 3 }, now: () => START_MS });
    const first = await venue.order("BTCUSDT");
    expect(first.status).toBe(200);
    expect(first.headers.get("x-mbx-order-count-10s")).toBe("1");
    expect(first.headers.get("x-mbx-order-count-1m")).toBe("1");
    const rejected = await venue.order("BTCUSDT", { quantity: "0" });
    expect(rejected.status).toBe(400);
    expect(rejected.headers.get("x-mbx-order-count-10s")).toBeNull();
    expect((await venue.order("BTCUSDT")).headers.get("x-mbx-order-count-10s")).toBe("3");
    const refused = await venue.order("BTCUSDT");
    expect(refused).toMatchObject({
      status: 429,
      body: { code: -1015, msg: "Too many new orders; current limit is 3 orders per TEN_SECONDS." },
    });
    expect(refused.headers.get("retry-after")).toBeNull();
  });

  it("can be changed while it runs", async () => {
    venue = await TestVenue.start({ now: () => START_MS });
    expect((await venue.public("GET /fapi/v1/ping")).status).toBe(200);
    await venue.control("/sim/limits", { weightPerMinute: 1 });
    expect((await venue.public("GET /fapi/v1/ping")).status).toBe(429);
    await expect(venue.control("/sim/limits", { weight: 1 })).rejects.toThrow("Unrecognized key");
  });
});

describe("bans", () => {
  const limits = { ...VENUE_LIMITS, weightPerMinute: 1, refusalsBeforeBan: 1 };

  /** Goes on until it is banned. @returns how long, ms */
  function ban(counted: Limits, nowMs: number): number {
    for (let i = 0; i < 10; i += 1) {
      try {
        counted.admit(IP, 1);
      } catch (error) {
        const until = /banned until (\d+)/.exec((error as VenueError).message)?.[1];
        if (until !== undefined) return Number(until) - nowMs;
      }
    }
    throw new Error("was not banned");
  }

  it("are longer each time, and forgotten after a day", () => {
    let nowMs = START_MS;
    const counted = new Limits(limits, () => nowMs);
    const lengths: number[] = [];
    for (let i = 0; i < 14; i += 1) {
      const lengthMs = ban(counted, nowMs);
      lengths.push(lengthMs / MINUTE_MS);
      nowMs += lengthMs;
    }
    expect(lengths).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4320, 4320]);
    nowMs += 25 * 60 * MINUTE_MS;
    expect(ban(counted, nowMs)).toBe(2 * MINUTE_MS);
  });

  it("are longer for who goes on during one", () => {
    const counted = new Limits(limits, () => START_MS);
    expect(ban(counted, START_MS)).toBe(2 * MINUTE_MS);
    expect(() => counted.admit(IP, 1)).toThrow(`banned until ${START_MS + 2 * MINUTE_MS}`);
    expect(() => counted.admit(IP, 1)).toThrow(`banned until ${START_MS + 4 * MINUTE_MS}`);
  });

  it("spare other IPs, and who waits for the next minute", () => {
    let nowMs = START_MS;
    const counted = new Limits(limits, () => nowMs);
    counted.admit(IP, 1);
    for (let i = 0; i < 5; i += 1) {
      expect(() => counted.admit(IP, 1)).toThrow("Too many requests");
      nowMs = START_MS + (i + 1) * MINUTE_MS;
      counted.admit(IP, 1);
    }
    expect(() => counted.admit("127.0.0.2", 1)).not.toThrow();
  });
});
