import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Acknowledgements } from "./acknowledgements.ts";
import { type Bench, GROUP, startBench, STREAM } from "./bench.fixture.ts";

let bench: Bench;
beforeAll(async () => void (bench = await startBench()));
afterAll(() => bench.stop());
let acknowledgements: Acknowledgements;
let ids: string[];
beforeEach(async () => {
  await bench.redis.flushall();
  await bench.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
  await bench.add(3);
  ids = await bench.givenPending("me", 3);
  acknowledgements = new Acknowledgements({ redis: bench.redis, stream: STREAM, group: GROUP });
});

describe("acknowledgements", () => {
  it("of one turn are one command, and each is known to be there", async () => {
    await bench.redis.config("RESETSTAT");
    const later = Promise.resolve().then(() => acknowledgements.add(ids[2] ?? ""));
    await Promise.all([...ids.slice(0, 2).map((id) => acknowledgements.add(id)), later]);
    expect(await bench.redis.info("commandstats")).toMatch(/cmdstat_xack:calls=1,/);
    expect(await bench.pendingCount()).toBe(0);
  });

  it("of a later turn are a command of their own", async () => {
    await bench.redis.config("RESETSTAT");
    for (const id of ids) await acknowledgements.add(id);
    expect(await bench.redis.info("commandstats")).toMatch(/cmdstat_xack:calls=3,/);
    expect(await bench.pendingCount()).toBe(0);
  });

  it("that fail do so for everyone who made them, and not for those who come after", async () => {
    await bench.redis.rename(STREAM, "elsewhere");
    await bench.redis.set(STREAM, "no stream");
    const outcomes = await Promise.allSettled(ids.map((id) => acknowledgements.add(id)));
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await bench.redis.rename("elsewhere", STREAM);
    await Promise.all(ids.map((id) => acknowledgements.add(id)));
    expect(await bench.pendingCount()).toBe(0);
  });
});
