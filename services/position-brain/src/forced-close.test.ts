import { EventEmitter } from "node:events";
import { createKeys } from "@quantum/contract";
import { openPartitions } from "@quantum/service-kit";
import { useRedis } from "@quantum/harness/vitest";
import type { OrderOrigin } from "@quantum/exchange";
import { beforeEach, expect, it, vi } from "vitest";
import type { Booker } from "./booker.ts";
import { disarmOnForcedClose } from "./forced-close.ts";

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
