/** A graceful stop: the next consumer of an entry must not assume that it may have been handled. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type Rig, gate, recorder, startRig, until } from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";
import { ACK } from "./disposition.ts";

const NAME = "governor@a:8044";
/** Nothing is reclaimed during a test unless it was given back. */
const LONG_MS = 30_000;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

const make = (options: ConstructorParameters<typeof StreamConsumer>[0]) => new StreamConsumer(options);
const orderBy = ({ fields }: { fields: Record<string, string> }) => fields["symbol"] ?? "";

/** Reads three entries and handles the first until `open`; the others wait behind it. */
async function busy() {
  const first = gate();
  const { ids, handle } = recorder(async () => {
    await first.passed;
    return ACK;
  });
  const consumer = rig.consumer(make, { handle, orderBy, reclaimIdleMs: LONG_MS });
  await consumer.start();
  const before = await rig.pendingCount();
  const added = await rig.add(3, () => "ONE");
  await until(() => expect(ids()).toEqual(added.slice(0, 1)));
  await until(async () => expect(await rig.pendingCount()).toBe(before + 3));
  return { consumer, added, open: first.open };
}

it("an entry that was not begun is delivered next as if for the first time", async () => {
  const { consumer, added, open } = await busy();
  const stopped = consumer.stop();
  open();
  await stopped;
  const after = recorder();
  await rig.consumer(make, { handle: after.handle, orderBy, reclaimIdleMs: LONG_MS }).start();
  await until(() => expect(after.ids()).toEqual(added.slice(1)));
  expect(after.entries.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
});

it("so is one whose delivery was lost as the connection closed", async () => {
  const { consumer, open } = await busy();
  const stopped = consumer.stop();
  const [late] = await rig.add(1, () => "TWO");
  await rig.givenPending(NAME, 1);
  open();
  await stopped;
  const after = recorder();
  await rig.consumer(make, { handle: after.handle, orderBy, reclaimIdleMs: LONG_MS }).start();
  await until(() => expect(after.entries.map(({ deliveries }) => deliveries)).toEqual([1, 1, 1]));
  expect(after.ids()).toContain(late);
});

it("another replica need not wait until it is idle", async () => {
  const { consumer, added, open } = await busy();
  const stopped = consumer.stop();
  open();
  await stopped;
  const after = recorder();
  const another = { handle: after.handle, orderBy, consumer: "governor@b:8044", reclaimIdleMs: 400 };
  await rig.consumer(make, another).start();
  await until(() => expect(after.ids()).toEqual(added.slice(1)));
  expect(after.entries.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
});

it("one that was begun counts as delivered", async () => {
  const { ids, handle } = recorder(() => ({ kind: "retry", reason: "try again" }));
  const consumer = rig.consumer(make, { handle, reclaimIdleMs: LONG_MS });
  await consumer.start();
  const added = await rig.add(1);
  await until(() => expect(ids()).toEqual(added));
  await consumer.stop();
  const after = recorder();
  await rig.consumer(make, { handle: after.handle, reclaimIdleMs: LONG_MS }).start();
  await until(() => expect(after.entries.map(({ deliveries }) => deliveries)).toEqual([2]));
});

it("so does one that another replica had given back", async () => {
  const first = gate();
  const begun = recorder(async ({ deliveries }) => {
    await first.passed;
    return deliveries > 1 ? ACK : { kind: "retry", reason: "try again" };
  });
  const taker = "governor@b:8044";
  const another = rig.consumer(make, {
    handle: begun.handle,
    consumer: taker,
    concurrency: 1,
    reclaimIdleMs: 2_000,
  });
  await another.start();
  const [own = ""] = await rig.add(1);
  await until(() => expect(begun.ids()).toEqual([own]));
  // It has no capacity for these entries, so they were delivered to the consumer that stops.
  const { consumer, added, open } = await busy();
  const stopped = consumer.stop();
  open();
  await stopped;
  first.open();
  await until(() => expect(begun.ids()).toContain(added[1]));
  await another.stop();
  const after = recorder();
  await rig.consumer(make, { handle: after.handle, consumer: taker, reclaimIdleMs: LONG_MS }).start();
  await until(() => expect(after.ids()).toContain(added[1]));
  expect(after.entries.find(({ id }) => id === added[1])?.deliveries).toBe(2);
});
