import { patienceMs, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { RedisClock, redisNow } from "./clock.ts";
import { connectForCommands, disconnect, type RedisClient } from "./connection.ts";

const HOUR_MS = 3_600_000;
/** A reading on a busy machine. */
const READING_MS = patienceMs(500);

let server: TestRedis;
let redis: RedisClient;
beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});
afterEach(() => vi.restoreAllMocks());

/** What a Redis answers whose clock is so far ahead, after so long. */
function answers(aheadMs: number, tookMs = 0): void {
  vi.spyOn(redis, "time").mockImplementationOnce(async () => {
    const ms = Date.now() + aheadMs;
    if (tookMs > 0) await new Promise((resolve) => setTimeout(resolve, tookMs));
    return [Math.floor(ms / 1000), (ms % 1000) * 1000];
  });
}

async function startedClock() {
  const clock = new RedisClock(redis);
  await clock.start();
  clock.stop();
  return clock;
}

describe("Redis's time as a process reckons it", () => {
  it("is the process's own where no clock runs on the connection", () => {
    expect(Math.abs(redisNow(redis) - Date.now())).toBeLessThan(READING_MS);
  });

  it("goes on while the process's own wall clock steps, which is measured", async () => {
    const clock = await startedClock();
    const before = redisNow(redis);
    const wall = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(wall + HOUR_MS);
    expect(redisNow(redis) - before).toBeLessThan(READING_MS);
    expect(Math.abs((clock.offsetMs ?? 0) - HOUR_MS)).toBeLessThan(READING_MS);
  });

  it("follows a step of Redis's clock", async () => {
    const clock = await startedClock();
    answers(-HOUR_MS);
    await clock.read();
    expect(Math.abs((clock.offsetMs ?? 0) - HOUR_MS)).toBeLessThan(READING_MS);
  });

  it("learns nothing from a slow answer that fits, however wrong it may be, and from one that does not, all", async () => {
    const clock = await startedClock();
    const known = clock.offsetMs ?? Infinity;
    answers(0, 600);
    await clock.read();
    // Half of the slow answer would be 300 ms.
    expect(Math.abs((clock.offsetMs ?? 0) - known)).toBeLessThan(200);
    answers(15_000, 120);
    await clock.read();
    expect(Math.abs((clock.offsetMs ?? 0) + 15_000)).toBeLessThan(READING_MS);
  });

  it("stays as it was while Redis does not answer", async () => {
    const clock = await startedClock();
    vi.spyOn(redis, "time").mockRejectedValueOnce(new Error("no answer"));
    await clock.read();
    expect(Math.abs(clock.offsetMs ?? Infinity)).toBeLessThan(READING_MS);
  });

  it("is unknown until a reading has worked", async () => {
    vi.spyOn(redis, "time").mockRejectedValueOnce(new Error("no answer"));
    expect((await startedClock()).offsetMs).toBeUndefined();
  });
});
