import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, expect, it, vi } from "vitest";
import { createEvents } from "./events.ts";
import { RedisMemory } from "./redis-memory.ts";

const HOUR_MS = 3_600_000;
/** Plans proposed this much later than a loss are not suspect. */
const AHEAD_MS = 5_000;
const keys = createKeys();
const { redis } = await useRedis();

afterEach(() => vi.restoreAllMocks());

/** Makes the next `announce` read this time. */
function nextTimeIs(ms: number): void {
  const pipeline = redis.pipeline();
  vi.spyOn(redis, "pipeline").mockReturnValueOnce(pipeline);
  vi.spyOn(pipeline, "exec").mockImplementationOnce(async () => {
    const epoch = await redis.get(keys.orderEpoch);
    return [
      [null, epoch],
      [null, [String(Math.floor(ms / 1000)), "0"]],
      [null, 1],
    ];
  });
}

/** Sets the monotonic clock at its next reading, in ms from now. */
function monotonicIs(aheadMs: number): void {
  const at = performance.now() + aheadMs;
  vi.spyOn(performance, "now").mockReturnValueOnce(at);
}

/** Changes the time and uptime in INFO's next answer. */
async function nextInfoIs(timeMs: number, uptimeSec?: number): Promise<void> {
  const truth = await redis.info("server", "replication");
  const info = truth
    .replace(/(server_time_usec:)\d+/, `$1${timeMs * 1000}`)
    .replace(/(uptime_in_seconds:)(\d+)/, (_, name: string, sec: string) => `${name}${uptimeSec ?? sec}`);
  vi.spyOn(redis, "info").mockResolvedValueOnce(info);
}

it("a loss stays known when Redis's clock steps back behind it, and forward again", async () => {
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  await redis.del(keys.orderEpoch);
  await memory.announce("BTCUSDT");
  const lostMs = Date.now();
  const isSuspect = () =>
    memory.mayHaveForgotten({ opened_at_ms: lostMs + 20_000, proposed_ms: lostMs - 1_000 });
  expect(isSuspect()).toBe(true);

  for (const [aheadMs, realMs] of [
    [-HOUR_MS, 10_000],
    [0, 20_000],
    [-15_000, 30_000],
    [0, 40_000],
  ] as const) {
    nextTimeIs(lostMs + realMs + aheadMs);
    monotonicIs(realMs);
    await memory.announce("BTCUSDT");
    expect(isSuspect()).toBe(true);
  }
  // Once the clock is right, nothing proposed long after the loss is suspect.
  const later = lostMs + 39_000;
  expect(memory.mayHaveForgotten({ opened_at_ms: later, proposed_ms: later })).toBe(false);
});

it("a Redis that started while its clock was ahead is read all the same: it may have forgotten what came before now", async () => {
  await nextInfoIs(Date.now(), -3_590);
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  const proposed = (ms: number) => memory.mayHaveForgotten({ opened_at_ms: ms, proposed_ms: undefined });
  expect(proposed(Date.now() - 1_000)).toBe(true);
  expect(proposed(Date.now() + HOUR_MS)).toBe(true);
});

it("a loss while Redis's clock is ahead makes plans suspect for seconds, and what lies in the future for good", async () => {
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  const proposed = (ms: number) => memory.mayHaveForgotten({ opened_at_ms: ms, proposed_ms: undefined });
  expect(proposed(Date.now() + HOUR_MS)).toBe(false);

  await nextInfoIs(Date.now() + HOUR_MS);
  await redis.del(keys.orderEpoch);
  await memory.announce("BTCUSDT");
  expect(proposed(Date.now())).toBe(true);
  // Proposed before the loss, when the clock was still ahead.
  expect(proposed(Date.now() + HOUR_MS)).toBe(true);

  const later = Date.now() + 2 * AHEAD_MS;
  nextTimeIs(later);
  monotonicIs(2 * AHEAD_MS);
  await memory.announce("BTCUSDT");
  expect(proposed(later - 1_000)).toBe(false);
  expect(proposed(later + HOUR_MS)).toBe(true);
});

it("an executor that is new to a replica which has become master knows that it may have forgotten", async () => {
  await new RedisMemory(redis, keys, createEvents()).announce("BTCUSDT");
  const proposedMs = Date.now() - 1_000;
  const plan = { opened_at_ms: Date.now(), proposed_ms: proposedMs };
  const seenBy = async () => {
    const truth = await redis.info("server", "replication");
    const info = truth
      .replace(/(master_replid:)\w+/, "$1promoted")
      .replace(/(uptime_in_seconds:)\d+/, "$1100000");
    const asked = vi.spyOn(redis, "info").mockResolvedValue(info);
    const memory = new RedisMemory(redis, keys, createEvents());
    await memory.announce("BTCUSDT");
    asked.mockRestore();
    return memory.mayHaveForgotten(plan);
  };
  expect(await seenBy()).toBe(true);
  // Even if the one that found it is gone, and with it its journal.
  expect(await seenBy()).toBe(true);
});

it("an executor that starts after another one found a loss knows of it, and of none before", async () => {
  const first = new RedisMemory(redis, keys, createEvents());
  await first.announce("BTCUSDT");
  await redis.del(keys.orderEpoch);
  await first.announce("BTCUSDT");
  const lostMs = Date.now();
  await nextInfoIs(lostMs + HOUR_MS, 100_000);
  const second = new RedisMemory(redis, keys, createEvents());
  nextTimeIs(lostMs + HOUR_MS);
  await second.announce("BTCUSDT");
  const proposed = (ms: number) =>
    second.mayHaveForgotten({ opened_at_ms: lostMs + HOUR_MS, proposed_ms: ms });
  expect(proposed(lostMs - 1_000)).toBe(true);
  expect(proposed(lostMs + 2 * AHEAD_MS)).toBe(false);
});

it("an epoch that nobody can read counts as a loss, and is replaced", async () => {
  const replicationId = /^master_replid:(\w+)/m.exec(await redis.info("replication"))?.[1];
  await redis.set(keys.orderEpoch, `${replicationId}:${"9".repeat(1_000)}:x`);
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  const ms = Date.now();
  expect(memory.mayHaveForgotten({ opened_at_ms: ms, proposed_ms: ms - 1_000 })).toBe(true);
  expect(await redis.get(keys.orderEpoch)).toMatch(/^\w+:\d{13}:[\w-]+$/);
});

it("a loss counts up to what the clock of before would say, if that of the next master is behind it", async () => {
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  // nextTimeIs() has whole seconds.
  const openedMs = Math.floor(Date.now() / 1_000) * 1_000;
  const behindMs = openedMs - 2 * AHEAD_MS;
  await redis.del(keys.orderEpoch);
  await nextInfoIs(behindMs);
  nextTimeIs(behindMs);
  await memory.announce("BTCUSDT");
  // Until its clock has passed that time, and after it.
  for (const nowMs of [behindMs, openedMs, openedMs + AHEAD_MS]) {
    nextTimeIs(nowMs);
    await memory.announce("BTCUSDT");
    expect(memory.mayHaveForgotten({ opened_at_ms: openedMs, proposed_ms: openedMs })).toBe(true);
  }
});
