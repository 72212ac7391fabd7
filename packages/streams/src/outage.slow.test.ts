import { describe, expect, it, onTestFinished } from "vitest";
import { recordEvents, recorder, startRig, until } from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";

/** Slow, because it outlasts the deadlines of two blocking reads. */
describe("a consumer whose Redis", () => {
  it("was away for long reads on at once when it is back: no abandoned read takes its entries or its time", async () => {
    const rig = await startRig({ appendonly: true, appendfsync: "always" });
    onTestFinished(() => rig.stop());
    const { handle, ids } = recorder();
    const consumer = rig.consumer((options) => new StreamConsumer(options), {
      handle,
      reclaimIdleMs: 600_000,
    });
    const failed = recordEvents(consumer, "failed");
    await consumer.start();
    const before = await rig.add(1);
    await until(() => expect(ids()).toEqual(before));
    // Otherwise entries handled but not yet acknowledged would rightly be handled again.
    await until(async () => expect(await rig.pendingCount()).toBe(0));
    await rig.server.kill();
    const deadlines = () => failed.filter(([{ error }]) => error.name === "DeadlineError");
    await until(() => expect(deadlines()).toHaveLength(2));
    await rig.server.restart();
    const after = await rig.add(3);
    await until(() => expect(ids()).toEqual([...before, ...after]));
    await until(async () => expect(await rig.pendingCount()).toBe(0));
  });
});
