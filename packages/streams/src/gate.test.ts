/** A consumer that leaves the work to another consumer of its group while its gate is shut. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import {
  gate as heldUntil,
  GROUP,
  recordEvents,
  recorder,
  type Rig,
  startRig,
  STREAM,
  until,
} from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";
import { ACK } from "./disposition.ts";
import { Gate } from "./gate.ts";

const NAME = "governor@a:8044";
const RECLAIM_IDLE_MS = 100;
const LONG_MS = 30_000;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.redis.flushall();
  await rig.redis.config("RESETSTAT");
});

const make = (options: ConstructorParameters<typeof StreamConsumer>[0]) => new StreamConsumer(options);

async function callsOf(command: string): Promise<number> {
  const stats = await rig.redis.info("commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
/** Resolves after several runs of the reclaim loops. */
const severalLooks = async () => {
  const before = await callsOf("xpending");
  await until(async () => expect(await callsOf("xpending")).toBeGreaterThan(before + 4));
};
const delivered = async () => (await rig.redis.xpending(STREAM, GROUP, "-", "+", 100)) as [string, string][];

it("neither reads nor reclaims before its gate opens, and reports no silence", async () => {
  await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
  const added = await rig.add(6);
  const own = await rig.givenPending(NAME, 2);
  const others = await rig.givenPending("governor@dead:8044", 2);
  const gate = new Gate({ isOpen: false });
  const { handle, ids } = recorder();
  const consumer = rig.consumer(make, { handle, gate, reclaimIdleMs: RECLAIM_IDLE_MS });
  await consumer.start();
  await severalLooks();
  expect(ids()).toEqual([]);
  expect((await delivered()).map(([id]) => id)).toEqual([...own, ...others]);
  expect(consumer.groupReady).toBe(true);
  expect(consumer.silence.readMs).toBe(0);
  gate.open();
  await until(() => expect(new Set(ids())).toEqual(new Set(added)));
  await until(async () => expect(await rig.pendingCount()).toBe(0));
});

it("stops reading at once when its gate is shut, and reports no failure", async () => {
  const gate = new Gate({ isOpen: true });
  const shut = recorder();
  const consumer = rig.consumer(make, { handle: shut.handle, gate, reclaimIdleMs: RECLAIM_IDLE_MS });
  const failed = recordEvents(consumer, "failed");
  await consumer.start();
  const [first] = await rig.add(1);
  await until(() => expect(shut.ids()).toEqual([first]));
  gate.shut();
  const reads = async () => Number(/^blocked_clients:(\d+)/m.exec(await rig.redis.info("clients"))?.[1]);
  await until(async () => expect(await reads()).toBe(0));
  const added = await rig.add(3);
  const other = recorder();
  await rig.consumer(make, { handle: other.handle, consumer: "governor@b:8044" }).start();
  await until(() => expect(other.ids()).toEqual(added));
  await severalLooks();
  expect(shut.ids()).toEqual([first]);
  expect(failed).toEqual([]);
  expect(consumer.problem).toBeUndefined();
});

it("finishes the entries it has when its gate is shut; no replica reclaims them", async () => {
  const gate = new Gate({ isOpen: true });
  const first = heldUntil();
  const slow = recorder(async () => {
    await first.passed;
    return ACK;
  });
  const consumer = rig.consumer(make, { handle: slow.handle, gate, reclaimIdleMs: 1_000 });
  const handled = recordEvents(consumer, "handled");
  await consumer.start();
  const [id] = await rig.add(1);
  await until(() => expect(slow.ids()).toEqual([id]));
  gate.shut();
  const other = recorder();
  await rig
    .consumer(make, { handle: other.handle, consumer: "governor@b:8044", reclaimIdleMs: 1_000 })
    .start();
  await severalLooks();
  first.open();
  await until(() => expect(handled).toHaveLength(1));
  await until(async () => expect(await rig.pendingCount()).toBe(0));
  expect(other.ids()).toEqual([]);
});

it("starts with its pending entries when its gate opens again", async () => {
  const gate = new Gate({ isOpen: true });
  const { handle, entries, ids } = recorder(({ deliveries }) =>
    deliveries > 1 ? ACK : { kind: "retry", reason: "not the owner" },
  );
  await rig.consumer(make, { handle, gate, reclaimIdleMs: LONG_MS }).start();
  const [id] = await rig.add(1);
  await until(() => expect(ids()).toEqual([id]));
  gate.shut();
  const [later] = await rig.add(1);
  gate.open();
  await until(() => expect(ids()).toEqual(expect.arrayContaining([id, id, later])));
  expect(entries.find((entry) => entry.id === id && entry.deliveries === 2)).toBeDefined();
});

it("uses its reading connection while its gate is shut: operators see that it is there", async () => {
  const consumer = rig.consumer(make, { handle: recorder().handle, gate: new Gate({ isOpen: false }) });
  const failed = recordEvents(consumer, "failed");
  await consumer.start();
  const lastCommand = async () =>
    / name=blocking .* cmd=(\S+) /.exec(String(await rig.redis.client("LIST")))?.[1];
  await until(async () => expect(await lastCommand()).toBe("ping"));
  expect(failed).toEqual([]);
});

it("stops while its gate is shut", async () => {
  const gate = new Gate({ isOpen: false });
  const { handle, ids } = recorder();
  const consumer = rig.consumer(make, { handle, gate, reclaimIdleMs: LONG_MS });
  await consumer.start();
  await rig.add(1);
  await consumer.stop();
  gate.open();
  expect(ids()).toEqual([]);
  expect([gate.listenerCount("shut"), gate.listenerCount("opened")]).toEqual([0, 0]);
});

it("knows how long it has been open", () => {
  expect(new Gate({ isOpen: true }).openForMs).toBe(Number.POSITIVE_INFINITY);
  const gate = new Gate({ isOpen: false });
  expect(gate.openForMs).toBe(0);
  gate.open();
  expect(gate.openForMs).toBeLessThan(60_000);
});
