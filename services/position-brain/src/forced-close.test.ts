import { EventEmitter } from "node:events";
import { createKeys } from "@quantum/contract";
import { patienceMs, startRedisServer } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { openPartitions, type Partition } from "@quantum/service-kit";
import type { OrderOrigin } from "@quantum/exchange";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import type { Booker } from "./booker.ts";
import { disarmOnForcedClose } from "./forced-close.ts";

const WAIT = { timeout: patienceMs(15_000), interval: 20 };
const keys = createKeys();
const { redis } = await useRedis();
let booker: Booker;
const log = { error: vi.fn<(...line: unknown[]) => void>() };

beforeEach(async () => {
  await redis.flushall();
  log.error.mockReset();
  booker = new EventEmitter() as Booker;
  const partitions = openPartitions(1, () => ({ redis, connectForBlocking: () => redis }));
  disarmOnForcedClose({ booker, partitions, log });
});

const fills = (origin: OrderOrigin) =>
  booker.emit("foreignFill", { origin, event: { symbol: "BTCUSDT", orderId: "7" } } as never);

it.each(["liquidation", "adl"] as const)(
  "disarms once if the exchange closes a position by %s",
  async (kind) => {
    for (const _ of [1, 2]) fills(kind);
    await vi.waitFor(() => expect(log.error).toHaveBeenCalledTimes(1));
    expect(JSON.parse((await redis.get(keys.disarm)) ?? "null")).toMatchObject({
      reason: "forced_close",
      context: { symbol: "BTCUSDT", kind, order_id: "7" },
    });
    expect(await redis.xlen(keys.streams.governorEvents)).toBe(1);
  },
);

it("does nothing when somebody trades by hand, or the exchange settles", async () => {
  for (const origin of ["other", "settlement"] as const) fills(origin);
  fills("adl");
  await vi.waitFor(() => expect(log.error).toHaveBeenCalledTimes(1));
  expect(JSON.parse((await redis.get(keys.disarm)) ?? "null")).toMatchObject({ context: { kind: "adl" } });
});

it("disarms every partition, and one that is away as soon as it is back, with one line about each", async () => {
  const lost = await startRedisServer();
  onTestFinished(() => lost.stop());
  const other = connectForCommands({ url: lost.url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(other));
  await other.ping();
  const partitions = openPartitions(3, (key) => {
    const own = key === createKeys({ partition: 1 }).probe ? other : redis;
    return { redis: own, connectForBlocking: () => own };
  });
  booker = new EventEmitter() as Booker;
  disarmOnForcedClose({ booker, partitions, log });
  await lost.kill();
  fills("liquidation");
  const why = (partition: Partition) =>
    partition.redis.get(partition.keys.disarm).then((text) => JSON.parse(text ?? "null") as unknown);
  const due = {
    reason: "forced_close",
    context: { symbol: "BTCUSDT", kind: "liquidation", order_id: "7" },
  };
  const [first, second, third] = partitions.all;
  const told = (what: string) =>
    log.error.mock.calls.flatMap(([context, message]) =>
      String(message).includes(what) ? [(context as { partition?: string }).partition] : [],
    );
  await vi.waitFor(() => expect(told("failed to disarm")).toEqual(["q1"]), WAIT);
  for (const reached of [first, third]) expect(await why(reached as Partition)).toMatchObject(due);
  await lost.restart();
  await vi.waitFor(async () => expect(await why(second as Partition)).toMatchObject(due), WAIT);
  await vi.waitFor(() => expect(told("has come about")).toEqual(["q1"]), WAIT);
  expect(told("AUTO_DISARM")).toHaveLength(1);
  expect(await redis.exists(keys.disarm)).toBe(0);
});
