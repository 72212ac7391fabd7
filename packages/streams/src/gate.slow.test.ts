/** A consumer whose gate stays shut for longer than an operator takes a silent one for alive. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { recorder, type Rig, startRig, until } from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";
import { Gate } from "./gate.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

it("uses its reading connection again and again", async () => {
  const consumer = rig.consumer((options) => new StreamConsumer(options), {
    handle: recorder().handle,
    gate: new Gate({ isOpen: false }),
  });
  await consumer.start();
  await rig.redis.config("RESETSTAT");
  const pings = async () =>
    Number(/cmdstat_ping:calls=(\d+)/.exec(await rig.redis.info("commandstats"))?.[1] ?? 0);
  await until(async () => expect(await pings()).toBeGreaterThanOrEqual(3));
}, 30_000);
