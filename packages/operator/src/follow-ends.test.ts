/** What comes into the streams, followed as the console does. */
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { accessAs, add, keys, planIdOf } from "./access.fixture.ts";
import { followEnds } from "./follow-ends.ts";
import type { PlanRow } from "./plan-rows.ts";
import { WaitTally } from "./wait-tally.ts";

const { execute, result } = keys.streams;
const { redis, server } = await useRedis();
const access = accessAs("viewer", server.url);

let tally: WaitTally;
let told: PlanRow[];
let stop: AbortController;
let following: Promise<void>;
beforeEach(async () => {
  await redis.flushall();
  tally = new WaitTally();
  told = [];
});
afterEach(async () => {
  stop.abort();
  await following;
});

/** What comes from now on is told; what was there before is only counted. */
async function follow(): Promise<void> {
  stop = new AbortController();
  following = followEnds(access, tally, (rows) => told.push(...rows), stop.signal);
  await vi.waitFor(() => expect(tally.hasBegun).toBe(true));
}
const verdict = (n: number, id?: string) =>
  add(redis, execute, { plan_id: planIdOf(n), symbol: "BTCUSDT", safe_qty: "0.1", wait_ms: "7" }, id);
const blocked = (n: number, id?: string) => {
  const why = { outcome: "BLOCKED", reason: "missing_p33", wait_ms: "1200" };
  return add(redis, result, { plan_id: planIdOf(n), symbol: "ETHUSDT", decision: "BLOCKED", ...why }, id);
};
const counted = () => {
  const { minutes } = tally.history(Date.now());
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return minutes.reduce((total, { permitted, blocked }) => total + sum(permitted) + sum(blocked), 0);
};

it("counts what the streams hold of the last hour, and tells only what has come since", async () => {
  await blocked(1, `${Date.now() - 7_200_000}-0`);
  await blocked(2);
  await verdict(3);
  await follow();
  await vi.waitFor(() => expect(counted()).toBe(2));
  await Promise.all([verdict(4), blocked(5)]);
  await vi.waitFor(() => expect(told).toHaveLength(2));
  expect(told.toSorted((a, b) => (a.planId < b.planId ? -1 : 1))).toMatchObject([
    { planId: planIdOf(4), outcome: "PERMITTED", waitMs: 7, reason: "" },
    { planId: planIdOf(5), outcome: "BLOCKED", waitMs: 1200, reason: "missing_p33", symbol: "ETHUSDT" },
  ]);
  expect([tally.lastOk?.planId, tally.lastBlock?.planId]).toEqual([planIdOf(4), planIdOf(5)]);
});

it("goes on where it was, and tells what came meanwhile", async () => {
  await follow();
  await verdict(1);
  await vi.waitFor(() => expect(told).toHaveLength(1));
  stop.abort();
  await following;
  await verdict(2);
  await follow();
  await vi.waitFor(() => expect(told.map(({ planId }) => planId)).toEqual([planIdOf(1), planIdOf(2)]));
  expect(counted()).toBe(2);
});

it("knows nothing of the time before the oldest entry of a stream that was trimmed", async () => {
  const old = Date.now() - 600_000;
  await blocked(1, `${old - 1_200_000}-0`);
  await blocked(2, `${old}-0`);
  await redis.xtrim(result, "MAXLEN", 1);
  await follow();
  await vi.waitFor(() => expect(counted()).toBe(1));
  const { minutes } = tally.history(Date.now());
  expect(minutes[0]?.startMs).toBe(Math.floor(old / 60_000) * 60_000);
});

it("ends with Redis's answer where a stream is none", async () => {
  await redis.set(result, "text");
  stop = new AbortController();
  const failed = followEnds(access, tally, () => undefined, stop.signal);
  following = failed.catch(() => undefined);
  await expect(failed).rejects.toThrow("WRONGTYPE");
});
