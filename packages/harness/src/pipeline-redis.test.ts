import { createKeys } from "@quantum/contract";
import { expect, it, onTestFinished } from "vitest";
import { openPipelineRedis } from "./pipeline-redis.ts";
import { useRedis } from "./vitest/use-redis.ts";

const { server, redis } = await useRedis();

function open(partitions: number) {
  const stored = openPipelineRedis({ url: server.url, partitions, name: "looks" });
  onTestFinished(() => stored.close());
  return stored;
}

it("is the wire where there is one partition", () => {
  const { intake, partitions } = open(1);
  expect(intake).toBe(partitions.account);
  expect(intake.keys.streams).toEqual(createKeys().streams);
});

it("finds a symbol's keys in its partition, and the proposals on the wire", () => {
  const { intake, partitions } = open(6);
  // CRC-16 8473 modulo 6.
  expect(partitions.of("BTCUSDT").keys.ledger("BTCUSDT")).toBe("quantum:position:{q1}:ledger:BTCUSDT");
  expect(intake.keys.streams.proposal).toBe("quantum:stream:harvest.proposal");
});

it("leaves no connection open", async () => {
  const stored = openPipelineRedis({ url: server.url, partitions: 2, name: "gone" });
  const blocking = stored.partitions.account.connectForBlocking();
  await Promise.all([blocking.ping(), stored.intake.redis.ping(), stored.connectTo("any").ping()]);
  await stored.close();
  const names = async () => (await redis.client("LIST")) as string;
  await expect.poll(names).not.toContain("name=gone");
});
