import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type Rig, GROUP, startRig, STREAM } from "./rig.fixture.ts";
import { pythonConsumers } from "./python-consumers.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.redis.flushall();
  await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
});

const reads = async (consumer: string) => {
  await rig.add(1);
  await rig.redis.xreadgroup("GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", STREAM, ">");
};
const found = () => pythonConsumers(rig.redis, STREAM, GROUP);

it("finds Python's names in a group of ours, and no replica's of ours", async () => {
  for (const name of ["governor@host-1:8044", "governor-b", "gov-", "a-gov-12"]) await reads(name);
  expect(await found()).toEqual([]);
  await reads("gov-4711");
  await reads("p33-12");
  expect((await found()).toSorted()).toEqual(["gov-4711", "p33-12"]);
});

it("forgets one that was given nothing for a minute: its name stays behind", async () => {
  await reads("gov-4711");
  const xinfo = vi.spyOn(rig.redis, "xinfo");
  const idle = (ms: number) => xinfo.mockResolvedValueOnce([["name", "gov-4711", "pending", 1, "idle", ms]]);
  idle(59_999);
  expect(await found()).toEqual(["gov-4711"]);
  idle(60_000);
  expect(await found()).toEqual([]);
  xinfo.mockRestore();
});
