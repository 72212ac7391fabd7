import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Acknowledgements } from "./acknowledgements.ts";
import { type Rig, GROUP, startRig, STREAM } from "./rig.fixture.ts";

let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
afterAll(() => rig.stop());
let acknowledgements: Acknowledgements;
let ids: string[];
beforeEach(async () => {
  await rig.redis.flushall();
  await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
  await rig.add(3);
  ids = await rig.givenPending("me", 3);
  acknowledgements = new Acknowledgements({ redis: rig.redis, stream: STREAM, group: GROUP });
});

describe("acknowledgements", () => {
  it("of one turn are one command, and each is known to be there", async () => {
    await rig.redis.config("RESETSTAT");
    const later = Promise.resolve().then(() => acknowledgements.add(ids[2] ?? ""));
    await Promise.all([...ids.slice(0, 2).map((id) => acknowledgements.add(id)), later]);
    expect(await rig.redis.info("commandstats")).toMatch(/cmdstat_xack:calls=1,/);
    expect(await rig.pendingCount()).toBe(0);
  });

  it("of a later turn are a command of their own", async () => {
    await rig.redis.config("RESETSTAT");
    for (const id of ids) await acknowledgements.add(id);
    expect(await rig.redis.info("commandstats")).toMatch(/cmdstat_xack:calls=3,/);
    expect(await rig.pendingCount()).toBe(0);
  });

  it("that fail do so for everyone who made them, and not for those who come after", async () => {
    await rig.redis.rename(STREAM, "elsewhere");
    await rig.redis.set(STREAM, "no stream");
    const outcomes = await Promise.allSettled(ids.map((id) => acknowledgements.add(id)));
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await rig.redis.rename("elsewhere", STREAM);
    await Promise.all(ids.map((id) => acknowledgements.add(id)));
    expect(await rig.pendingCount()).toBe(0);
  });
});
