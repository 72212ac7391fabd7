/** What comes into the streams is followed through what happens to Redis. */
import { setTimeout as delay } from "node:timers/promises";
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { accessAs, add, keys, planIdOf } from "./access.fixture.ts";
import { followEnds } from "./follow-ends.ts";
import { WaitTally } from "./wait-tally.ts";

const { execute } = keys.streams;
const AGAIN_MS = 200;
const PATIENCE = { timeout: 20_000 };
const LONG_MS = 90_000;

const { redis, server } = await useRedis({ appendonly: true, appendfsync: "always" });
const access = accessAs("viewer", server.url);

let tally: WaitTally;
let told: string[];
let stop: AbortController;
let following: Promise<void>;
beforeEach(async () => {
  await redis.flushall();
  told = [];
  stop = new AbortController();
  tally = new WaitTally();
  following = keepFollowing();
});
afterEach(async () => {
  stop.abort();
  await following;
});

/** As the console does: what fails is begun again. */
async function keepFollowing(): Promise<void> {
  while (!stop.signal.aborted) {
    await followEnds(
      access,
      tally,
      (rows) => told.push(...rows.map(({ planId }) => planId)),
      stop.signal,
    ).catch(() => delay(AGAIN_MS));
  }
}

const verdict = (n: number, id?: string) =>
  add(redis, execute, { plan_id: planIdOf(n), symbol: "BTCUSDT", safe_qty: "0.1", wait_ms: "7" }, id);
const plansTold = () => told.map((planId) => Number.parseInt(planId, 16));

/** What comes from now on is told; what was there before is only counted. */
async function begun(): Promise<void> {
  await vi.waitFor(() => expect(tally.hasBegun).toBe(true), PATIENCE);
  await verdict(1);
  await expect.poll(plansTold, PATIENCE).toEqual([1]);
  told.length = 0;
}

it("through a crash of Redis: each verdict is told once", { timeout: LONG_MS }, async () => {
  await begun();
  await server.kill();
  await server.restart();
  await vi.waitFor(() => verdict(2), PATIENCE);
  await verdict(3);
  await expect.poll(plansTold, PATIENCE).toEqual([2, 3]);
});

it("through a connection on which nothing answers any more", { timeout: LONG_MS }, async () => {
  await begun();
  server.pause();
  await delay(8_000);
  server.resume();
  await vi.waitFor(() => verdict(2), PATIENCE);
  await expect.poll(plansTold, PATIENCE).toEqual([2]);
});

it("in streams that begin again with earlier ids", { timeout: LONG_MS }, async () => {
  await begun();
  await redis.flushall();
  await vi.waitFor(() => expect(tally.after.get(execute)).toBe("0-0"), PATIENCE);
  await verdict(2, `${Date.now() - 60_000}-0`);
  await expect.poll(plansTold, PATIENCE).toEqual([2]);
});
