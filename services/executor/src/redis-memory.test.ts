import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { startRedisServer, type TestRedis } from "@quantum/testkit";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { createEvents } from "./events.ts";
import { RedisMemory } from "./redis-memory.ts";

const HOUR_MS = 3_600_000;
/** Plans proposed so much later than a loss are above suspicion. */
const AHEAD_MS = 5_000;
const keys = createKeys();
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

/** The next `announce` reads this time. */
function nextTimeIs(ms: number): void {
  const pipeline = redis.pipeline();
  vi.spyOn(redis, "pipeline").mockReturnValueOnce(pipeline);
  vi.spyOn(pipeline, "exec").mockImplementationOnce(async () => {
    const epoch = await redis.get(keys.orderEpoch);
    return [
      [null, 1],
      [null, epoch],
      [null, [String(Math.floor(ms / 1000)), "0"]],
    ];
  });
}

it("a loss while Redis's clock is ahead makes plans suspect for seconds, and what lies in the future for good", async () => {
  const memory = new RedisMemory(redis, keys, createEvents());
  await memory.announce("BTCUSDT");
  const proposed = (ms: number) => memory.mayHaveForgotten({ opened_at_ms: ms, proposed_ms: undefined });
  expect(proposed(Date.now() + HOUR_MS)).toBe(false);

  const truth = await redis.info("server");
  const ahead = truth.replace(/(server_time_usec:)\d+/, `$1${(Date.now() + HOUR_MS) * 1000}`);
  vi.spyOn(redis, "info").mockResolvedValueOnce(ahead);
  await redis.del(keys.orderEpoch);
  await memory.announce("BTCUSDT");
  expect(proposed(Date.now())).toBe(true);
  // Proposed before the loss, when the clock was still ahead.
  expect(proposed(Date.now() + HOUR_MS)).toBe(true);

  const later = Date.now() + 2 * AHEAD_MS;
  nextTimeIs(later);
  await memory.announce("BTCUSDT");
  expect(proposed(later - 1_000)).toBe(false);
  expect(proposed(later + HOUR_MS)).toBe(true);
});
