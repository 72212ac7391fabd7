/** Executions of yesterday, settled just after midnight UTC: by Redis's clock, stepped to the next midnight. */
import { canShiftRedisClock, startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepBooks } from "./bookkeeping.ts";
import { HOUR_MS, issuerOn, keys, PLAN, RESERVE_TTL_MS, reservations, SYMBOL } from "./issuer.fixture.ts";

const DAY_MS = 24 * HOUR_MS;
const AFTER_MS = 10_000;
const BEFORE_MS = 20_000;

describe.skipIf(!(await canShiftRedisClock()))("an execution of yesterday", () => {
  let server: TestRedis;
  let redis: RedisClient;
  beforeAll(async () => {
    server = await startRedisServer({ clock: true });
    redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  });
  afterAll(async () => {
    await disconnect(redis);
    await server.stop();
  });

  it("counts by its number and not by its amounts, and the books need no correction", async () => {
    const midnight = (Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS;
    await server.shiftClock(midnight + AFTER_MS - Date.now());
    await redis.xgroup("CREATE", keys.streams.result, "governor", "0", "MKSTREAM");
    const entryId = (await redis.xadd(keys.streams.result, "*", "plan_id", PLAN)) ?? "";
    await redis.xreadgroup("GROUP", "governor", "test", "STREAMS", keys.streams.result, ">");
    const settled = { planId: PLAN, symbol: SYMBOL, attempt: "1-1", entryId, placed: true };
    await issuerOn(redis).settle(settled, { amounts: { qty: 5n }, atMs: midnight - BEFORE_MS });

    const corrections: string[] = [];
    await keepBooks({
      redis,
      keys,
      issuer: "governor",
      reserveTtlMs: RESERVE_TTL_MS,
      charges: true,
      symbols: [SYMBOL],
      onCorrection: ({ what }) => corrections.push(what),
    });
    expect(corrections).toEqual([]);
    expect(await redis.zrange(reservations.executions, 0, -1)).toEqual([`result:${entryId}`]);
    expect(await redis.hexists(reservations.totals, "charged:qty")).toBe(0);
  });
});
