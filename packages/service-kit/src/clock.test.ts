import { connectForCommands, disconnect, RedisClock } from "@quantum/redis";
import { startRedisServer } from "@quantum/harness";
import { Registry } from "prom-client";
import { afterEach, expect, it, vi } from "vitest";
import { clocksAgree, observeClocks } from "./clock.ts";

afterEach(() => vi.restoreAllMocks());

it.each([
  ["ahead of", 3_600_000, 3_600],
  ["behind", -15_000, -15],
])("a clock that is far %s Redis's makes the service unready, and shows", async (side, shiftMs, shiftSec) => {
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  const clock = new RedisClock(redis);
  const registry = new Registry();
  const problems = observeClocks([clock], registry);
  expect(problems()).toEqual(["Redis's time has not been read yet"]);
  await clock.start();
  expect(problems()).toEqual([]);

  const trueNow = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => trueNow() + shiftMs);
  expect(problems()).toEqual([
    expect.stringMatching(
      new RegExp(`^this service's clock is \\d+ ms ${side} Redis's, more than 500 ms: one of the two hosts`),
    ),
  ]);
  const shown = Number(/^quantum_clock_offset_seconds (\S+)/m.exec(await registry.metrics())?.[1]);
  expect(shown).toBeCloseTo(shiftSec, 0);
  vi.restoreAllMocks();
  expect(problems()).toEqual([]);
  clock.stop();
  await disconnect(redis);
  await server.stop();
});

it("is as far off as the worst of several, and names the partition whose server has not answered", async () => {
  const registry = new Registry();
  const clocks: { offsetMs: number | undefined }[] = [
    { offsetMs: 20 },
    { offsetMs: undefined },
    { offsetMs: -700 },
  ];
  const problems = observeClocks(clocks, registry);
  expect(problems()).toEqual([
    "partition q1: Redis's time has not been read yet",
    expect.stringContaining("this service's clock is 700 ms behind Redis's"),
  ]);
  expect(await registry.metrics()).toContain("\nquantum_clock_offset_seconds -0.7\n");
  clocks[1] = { offsetMs: 900 };
  expect(problems()).toEqual([expect.stringContaining("this service's clock is 900 ms ahead of Redis's")]);
  clocks[1] = { offsetMs: 0 };
  clocks[2] = { offsetMs: -500 };
  expect(problems()).toEqual([]);
});

it("is waited for until it agrees with Redis's, and says so", async () => {
  const answers = [["this service's clock is 900 ms ahead of Redis's"], []];
  const waits: (string | undefined)[] = [];
  await clocksAgree(
    () => answers.shift() ?? [],
    (what) => waits.push(what),
  );
  expect(waits).toEqual(["the clocks to agree: this service's clock is 900 ms ahead of Redis's", undefined]);
});
