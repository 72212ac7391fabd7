import { createKeys } from "@quantum/contract";
import { connectForCommands, connectForJobs, disconnect } from "@quantum/redis";
import { startRedisServer, type TestRedis } from "@quantum/testkit";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startSchedule } from "./schedule.ts";

const EVERY_MS = 100;
/** Until a full Redis is noticed, and forgotten again. */
const FULL_MS = 20_000;
const keys = createKeys();
let server: TestRedis;

beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());

it("refreshes once an interval however many replicas share it, goes on after a failure, and stops", async () => {
  const options = { url: server.url, name: "test", onError: () => undefined };
  const times: number[] = [];
  const enough = Promise.withResolvers<void>();
  const refresh = async () => {
    times.push(Date.now());
    if (times.length === 8) enough.resolve();
    if (times.length === 2) throw new Error("the exchange is away");
  };
  const schedule = () =>
    startSchedule({
      connectForJobs: () => connectForJobs(options),
      keys,
      everyMs: EVERY_MS,
      refresh,
      onError: (error) => enough.reject(error),
    });
  const stops = [await schedule(), await schedule(), await schedule()];
  await enough.promise;
  // One fewer interval than refreshes; the first one may come early in its interval.
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(6 * EVERY_MS);

  for (const stop of stops) await stop();
  const redis = connectForCommands(options);
  const names = await redis.keys("*");
  await disconnect(redis);
  expect(names.every((name) => name.startsWith(`${keys.jobs}:position-brain-refresh`))).toBe(true);
});

it("goes on after Redis has lost everything", async () => {
  const options = { url: server.url, name: "test", onError: () => undefined };
  const redis = connectForCommands(options);
  let refreshed = Promise.withResolvers<void>();
  const stop = await startSchedule({
    connectForJobs: () => connectForJobs(options),
    keys,
    everyMs: EVERY_MS,
    refresh: async () => refreshed.resolve(),
    onError: () => undefined,
  });
  await refreshed.promise;
  await redis.flushall();
  // A refresh that was running may end first: only once the schedule is there again does one count.
  await vi.waitFor(async () => expect((await redis.keys("*")).length).toBeGreaterThan(0));
  refreshed = Promise.withResolvers<void>();
  await refreshed.promise;
  await stop();
  await disconnect(redis);
});

it(
  "goes on after Redis was full for a while",
  async () => {
    const options = { url: server.url, name: "test", onError: () => undefined };
    const redis = connectForCommands(options);
    let refreshed = Promise.withResolvers<void>();
    const errors: string[] = [];
    const stop = await startSchedule({
      connectForJobs: () => connectForJobs(options),
      keys,
      everyMs: EVERY_MS,
      refresh: async () => refreshed.resolve(),
      onError: ({ message }) => errors.push(message),
    });
    await refreshed.promise;
    await redis.config("SET", "maxmemory", "1mb");
    await expect.poll(() => errors.join(), { timeout: FULL_MS }).toContain("OOM");
    await redis.config("SET", "maxmemory", "0");
    refreshed = Promise.withResolvers<void>();
    await refreshed.promise;
    await stop();
    await disconnect(redis);
  },
  FULL_MS,
);
