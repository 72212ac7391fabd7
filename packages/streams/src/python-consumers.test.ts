import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type Bench, GROUP, startBench, STREAM } from "./bench.fixture.ts";
import { pythonConsumers } from "./python-consumers.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.redis.flushall();
  await bench.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
});

const reads = async (consumer: string) => {
  await bench.add(1);
  await bench.redis.xreadgroup("GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", STREAM, ">");
};
const found = () => pythonConsumers(bench.redis, STREAM, GROUP);

it("finds Python's names in a group of ours, and no replica's of ours", async () => {
  for (const name of ["governor@host-1:8044", "governor-b", "gov-", "a-gov-12"]) await reads(name);
  expect(await found()).toEqual([]);
  await reads("gov-4711");
  await reads("p33-12");
  expect((await found()).toSorted()).toEqual(["gov-4711", "p33-12"]);
});

it("forgets one that was given nothing for a minute: its name stays behind", async () => {
  await reads("gov-4711");
  const xinfo = vi.spyOn(bench.redis, "xinfo");
  const idle = (ms: number) => xinfo.mockResolvedValueOnce([["name", "gov-4711", "pending", 1, "idle", ms]]);
  idle(59_999);
  expect(await found()).toEqual(["gov-4711"]);
  idle(60_000);
  expect(await found()).toEqual([]);
  xinfo.mockRestore();
});
