import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Rig, GROUP, startRig, STREAM } from "./rig.fixture.ts";
import { removeIdleConsumers } from "./remove-consumers.ts";

let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.redis.flushall();
  await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
});

const remove = (idleMs: number, keep = "me") =>
  removeIdleConsumers(rig.redis, { stream: STREAM, group: GROUP, keep, idleMs });
const create = (name: string) => rig.redis.xgroup("CREATECONSUMER", STREAM, GROUP, name);
const names = async () =>
  ((await rig.redis.xinfo("CONSUMERS", STREAM, GROUP)) as unknown[][])
    .map((flat) => String(flat[1]))
    .toSorted();

describe("removing consumers", () => {
  it("removes those with nothing pending, and keeps the caller", async () => {
    for (const name of ["me", "gone", "gone too"]) await create(name);
    expect((await remove(0)).toSorted()).toEqual(["gone", "gone too"]);
    expect(await names()).toEqual(["me"]);
  });

  it("keeps one that has an entry pending: it would be lost", async () => {
    await rig.redis.xadd(STREAM, "*", "n", "1");
    await rig.givenPending("died at work", 1);
    expect(await remove(0)).toEqual([]);
    expect(await rig.pendingCount()).toBe(1);
  });

  it("keeps one that has read within the time", async () => {
    await create("replica");
    expect(await remove(60_000)).toEqual([]);
    expect(await names()).toEqual(["replica"]);
  });

  it("changes nothing when run again, after SCRIPT FLUSH too, or twice at once", async () => {
    await create("gone");
    expect((await Promise.all([remove(0), remove(0)])).flat()).toEqual(["gone"]);
    await rig.redis.script("FLUSH");
    expect(await remove(0)).toEqual([]);
  });

  it("says so where there is no group or no stream", async () => {
    await rig.redis.xgroup("DESTROY", STREAM, GROUP);
    await expect(remove(0)).rejects.toThrow("NOGROUP");
    await rig.redis.set("text", "not a stream");
    await expect(
      removeIdleConsumers(rig.redis, { stream: "text", group: GROUP, keep: "me", idleMs: 0 }),
    ).rejects.toThrow("WRONGTYPE");
  });
});
