import { createKeys } from "@quantum/contract";
import { patienceMs } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { Queue } from "bullmq";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RefreshSchedule, type ScheduleOptions } from "./schedule.ts";

const EVERY_MS = 100;
const HOUR_MS = 3_600_000;
/** For a refresh that is due, on a busy machine. */
const PATIENCE_MS = patienceMs(5_000);
const keys = createKeys();
const { redis, server } = await useRedis();
let schedules: RefreshSchedule[];

beforeEach(async () => {
  await redis.flushall();
  schedules = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(schedules.map((schedule) => schedule.stop()));
});

function createSchedule(options: Partial<ScheduleOptions> = {}) {
  const schedule = new RefreshSchedule({
    redis,
    keys,
    everyMs: EVERY_MS,
    hasOthers: false,
    refresh: () => Promise.resolve(),
    isKept: () => false,
    onError: () => undefined,
    onLate: () => undefined,
    ...options,
  });
  schedules.push(schedule);
  return schedule;
}

/** Counts refreshes, and waits for more of them. */
function counter() {
  let count = 0;
  return {
    refresh: async () => void (count += 1),
    get count() {
      return count;
    },
    more: async (by = 2) => {
      const from = count;
      await vi.waitFor(() => expect(count).toBeGreaterThanOrEqual(from + by), PATIENCE_MS);
    },
  };
}

describe("the refresh", () => {
  it("comes once an interval however many replicas share it, and goes on after a failure", async () => {
    const times: number[] = [];
    const refresh = async () => {
      times.push(performance.now());
      if (times.length === 5) throw new Error("the exchange is away");
    };
    const replicas = [1, 2, 3].map(() => createSchedule({ refresh }));
    await Promise.all(replicas.map((replica) => replica.start()));
    expect(times).toHaveLength(3);
    await vi.waitFor(() => expect(times.length).toBeGreaterThanOrEqual(9), PATIENCE_MS);
    // Six turns after each replica's own first one. The first turn may come early in its interval.
    expect((times[8] ?? 0) - (times[2] ?? 0)).toBeGreaterThan(4 * EVERY_MS);
    await Promise.all(replicas.map((replica) => replica.stop()));
    expect(await redis.keys("*")).toEqual([keys.refreshTurn]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["Redis has lost everything", () => redis.flushall()],
    [
      "its key has become another type",
      () => redis.multi().del(keys.refreshTurn).lpush(keys.refreshTurn, "1").exec(),
    ],
    ["its turn began in the future", () => redis.hset(keys.refreshTurn, "begun_ms", Date.now() + HOUR_MS)],
    [
      "its last one was done in the future",
      () => redis.hset(keys.refreshTurn, "done_ms", Date.now() + HOUR_MS),
    ],
    ["its turn is unreadable", () => redis.hset(keys.refreshTurn, "begun_ms", "soon", "done_ms", "never")],
    ["all job queues are paused", pauseQueues],
  ])("goes on within an interval after %s", async (_, damage) => {
    const refreshes = counter();
    await createSchedule(refreshes).start();
    await damage();
    await refreshes.more();
    const { begun_ms, done_ms } = await redis.hgetall(keys.refreshTurn);
    const now = Date.now();
    expect(Number(begun_ms)).toBeLessThanOrEqual(now);
    expect(Number(done_ms)).toBeLessThanOrEqual(now);
  });

  it("goes on while this process's clock steps", async () => {
    const refreshes = counter();
    await createSchedule(refreshes).start();
    const wall = Date.now();
    for (const shiftMs of [HOUR_MS, -HOUR_MS]) {
      vi.spyOn(Date, "now").mockReturnValue(wall + shiftMs);
      await refreshes.more();
    }
    expect(refreshes.count).toBeGreaterThan(4);
  });

  it("goes on after Redis did not answer", async () => {
    const refreshes = counter();
    const onError = vi.fn();
    await createSchedule({ ...refreshes, refresh: refreshes.refresh, onError }).start();
    vi.spyOn(redis, "evalsha").mockRejectedValueOnce(new Error("no answer"));
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(1), PATIENCE_MS);
    await refreshes.more();
  });
});

describe("a Redis that does not say whose turn it is", () => {
  const away = async () => {
    const client = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    await client.ping();
    await disconnect(client);
    return client;
  };

  it("stops no refresh where other partitions have pairs, and makes none more often", async () => {
    const clock = vi.spyOn(performance, "now");
    const startedAt = performance.now();
    let count = 0;
    const refresh = async () => {
      count += 1;
      if (count === 2) throw new Error("the exchange is away");
    };
    const onError = vi.fn();
    await createSchedule({ redis: await away(), hasOthers: true, refresh, onError }).start();
    expect(count).toBe(1);
    for (const [afterMs, refreshes] of [
      [4_000, 2],
      [8_000, 3],
    ] as const) {
      clock.mockReturnValue(startedAt + afterMs);
      await vi.waitFor(() => expect(count).toBe(refreshes), PATIENCE_MS);
      // It asks again, and as often as this is not its turn.
      const asked = onError.mock.calls.length;
      await vi.waitFor(() => expect(onError.mock.calls.length).toBeGreaterThan(asked), PATIENCE_MS);
      expect(count).toBe(refreshes);
    }
  });

  it.each([
    ["there is one partition", { hasOthers: false }],
    ["events keep the pairs", { hasOthers: true, isKept: () => true }],
  ])("leads to no refresh where %s", async (_, options) => {
    const clock = vi.spyOn(performance, "now");
    const startedAt = performance.now();
    const refresh = vi.fn(async () => undefined);
    const onError = vi.fn();
    await createSchedule({ redis: await away(), refresh, onError, ...options }).start();
    clock.mockReturnValue(startedAt + 60_000);
    const asked = onError.mock.calls.length;
    await vi.waitFor(() => expect(onError.mock.calls.length).toBeGreaterThan(asked), PATIENCE_MS);
    expect(refresh).toHaveBeenCalledTimes(1);
  });
});

describe("positions that events keep current", () => {
  it("are refreshed by no replica, and at once when the events cease", async () => {
    // Long enough for a replica to say in time that its events go on, on a busy machine.
    const everyMs = 2_000;
    let isKept = true;
    const here = counter();
    const there = counter();
    // Both refresh once at their start.
    await createSchedule({ everyMs, refresh: here.refresh, isKept: () => isKept }).start();
    const standby = createSchedule({ everyMs, refresh: there.refresh });
    await standby.start();
    const seen = [here.count, there.count];
    const { begun_ms: before } = await redis.hgetall(keys.refreshTurn);
    await vi.waitFor(async () => {
      const { begun_ms: now } = await redis.hgetall(keys.refreshTurn);
      expect(Number(now) - Number(before)).toBeGreaterThan(everyMs);
    }, PATIENCE_MS);
    expect([here.count, there.count]).toEqual(seen);
    expect(standby.problems()).toEqual([]);
    isKept = false;
    await vi.waitFor(() => expect(here.count + there.count).toBeGreaterThan(3), PATIENCE_MS);
  });
});

describe("P3.3 that stands still", () => {
  it("says so once, and what it waits for, until a refresh succeeds", async () => {
    const now = vi.spyOn(performance, "now");
    const startedAt = performance.now();
    const onLate = vi.fn();
    let isAway = true;
    const refresh = async () => {
      if (isAway) throw new Error("the exchange is away");
    };
    const schedule = createSchedule({ refresh, onLate });
    await schedule.start();
    expect(schedule.problems()).toEqual([]);
    now.mockReturnValue(startedAt + 7_000);
    const problem =
      "no refresh of the positions has succeeded for 7 s: the last one failed: the exchange is away";
    expect(schedule.problems()).toEqual([problem]);
    await vi.waitFor(() => expect(onLate).toHaveBeenCalled(), PATIENCE_MS);
    isAway = false;
    await vi.waitFor(() => expect(schedule.problems()).toEqual([]), PATIENCE_MS);
    expect(onLate.mock.calls).toEqual([[problem]]);
  });
});

/** Pauses the queues of earlier versions, as a dashboard may do. */
async function pauseQueues(): Promise<void> {
  for (const name of ["position-brain-refresh", "executor-resolve"]) {
    const queue = new Queue(name, {
      connection: { host: "127.0.0.1", port: server.port },
      prefix: keys.jobs,
    });
    await queue.pause();
    await queue.close();
  }
}
