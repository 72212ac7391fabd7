/** A group that somebody moves, and a stream that somebody deletes or changes to another type. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type Rig, GROUP, recorder, recordEvents, startRig, STREAM, until } from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";

let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

async function started(acknowledge: boolean) {
  const handler = recorder();
  const consumer = rig.consumer((options) => new StreamConsumer(options), { ...handler, acknowledge });
  const lost = recordEvents(consumer, "groupLost");
  await consumer.start();
  return { ...handler, consumer, lost };
}

it.each([true, false])(
  "a group that was moved behind the stream's end reads on, and says so (acknowledges: %s)",
  async (acknowledge) => {
    const { ids, lost } = await started(acknowledge);
    const before = await rig.add(2);
    await until(() => expect(ids()).toEqual(before));
    await rig.redis.xgroup("SETID", STREAM, GROUP, `${Date.now() + 3_600_000}-0`);
    const after = await rig.add(2);
    await until(() => expect(new Set(ids())).toEqual(new Set([...before, ...after])));
    expect(lost.length).toBeGreaterThan(0);
    // Not handled a second time.
    const handled = ids().length;
    const last = await rig.add(1);
    await until(() => expect(ids().at(-1)).toBe(last[0]));
    expect(ids()).toHaveLength(handled + 1);
  },
);

it("a group that was moved back is given again what is there", async () => {
  const { ids } = await started(true);
  const before = await rig.add(2);
  await until(() => expect(ids()).toEqual(before));
  await rig.redis.xgroup("SETID", STREAM, GROUP, "0");
  const [after = ""] = await rig.add(1);
  await until(() => expect(ids()).toContain(after));
});

it("a stream of the wrong type stops nobody for good: it is read from its first entry once it is a stream", async () => {
  const { ids, consumer } = await started(true);
  const before = await rig.add(1);
  await until(() => expect(ids()).toEqual(before));
  await rig.redis.multi().del(STREAM).lpush(STREAM, "not a stream").exec();
  await until(() => expect(consumer.problem?.message).toContain("WRONGTYPE"));
  await rig.redis.del(STREAM);
  const after = await rig.add(2);
  await until(() => expect(ids()).toEqual([...before, ...after]));
  expect(consumer.problem).toBeUndefined();
});
