/** What every consumer must do, however it is built. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Rig,
  gate,
  GROUP,
  keys,
  type MakeConsumer,
  RECLAIM_IDLE_MS,
  recordEvents,
  recorder,
  startRig,
  STREAM,
  until,
} from "./rig.fixture.ts";
import { ACK, DONE } from "./disposition.ts";

/** Longer than any test, so nothing is reclaimed. */
const NEVER_MS = 600_000;

export function describeConformance(name: string, make: MakeConsumer): void {
  let rig: Rig;
  beforeAll(async () => void (rig = await startRig()));
  afterAll(() => rig.stop());
  beforeEach(async () => {
    await rig.redis.flushall();
    await rig.redis.config("RESETSTAT");
  });

  const start = async (options: Parameters<Rig["consumer"]>[1]) => {
    const consumer = rig.consumer(make, options);
    await consumer.start();
    return consumer;
  };
  const nothingPending = () => until(async () => expect(await rig.pendingCount()).toBe(0));

  describe(`${name}: what it reads`, () => {
    it("handles what was published before the group's first start, in order", async () => {
      const before = await rig.add(3);
      const { handle, ids } = recorder();
      await start({ handle });
      const after = await rig.add(2);
      await until(() => expect(ids()).toEqual([...before, ...after]));
      await nothingPending();
    });

    it("gives the handler the entry's fields and tells its deliveries", async () => {
      await rig.redis.xadd(STREAM, "1-1", "__proto__", "x", "", "empty name", "10", "ten", "bytes", "ü\n\"'");
      const { handle, entries } = recorder();
      await start({ handle });
      await until(() => expect(entries).toHaveLength(1));
      expect(entries[0]?.deliveries).toBe(1);
      expect(Object.entries(entries[0]?.fields ?? {})).toEqual([
        ["10", "ten"],
        ["__proto__", "x"],
        ["", "empty name"],
        ["bytes", "ü\n\"'"],
      ]);
    });

    it("first handles what it had been given before it stopped", async () => {
      await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
      await rig.add(5);
      const given = await rig.givenPending("governor@a:8044", 3);
      const { handle, entries, ids } = recorder();
      await start({ handle, reclaimIdleMs: NEVER_MS });
      await until(() => expect(ids()).toHaveLength(5));
      expect(ids().slice(0, 3)).toEqual(given);
      expect(entries.map(({ deliveries }) => deliveries)).toEqual([2, 2, 2, 1, 1]);
      await nothingPending();
    });

    it("takes over what a killed replica was given, once that is idle", async () => {
      await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
      await rig.add(5);
      const given = await rig.givenPending("governor@killed:8044", 5);
      const { handle, entries, ids } = recorder();
      const consumer = rig.consumer(make, { handle });
      const reclaimed = recordEvents(consumer, "reclaimed");
      const startedAt = performance.now();
      await consumer.start();
      await until(() => expect(ids()).toEqual(given));
      expect(performance.now() - startedAt).toBeGreaterThan(RECLAIM_IDLE_MS / 2);
      expect(entries.map(({ deliveries }) => deliveries)).toEqual([2, 2, 2, 2, 2]);
      expect(reclaimed).toEqual([[{ count: 5 }]]);
      await nothingPending();
    });

    it("reports what was deleted while pending, and does not hand it to the handler", async () => {
      await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
      await rig.add(4);
      const [own = "", ownDeleted = ""] = await rig.givenPending("governor@a:8044", 2);
      const [others = "", othersDeleted = ""] = await rig.givenPending("governor@killed:8044", 2);
      await rig.redis.xdel(STREAM, ownDeleted, othersDeleted);
      const { handle, ids } = recorder();
      const consumer = rig.consumer(make, { handle });
      const deleted = recordEvents(consumer, "deleted");
      await consumer.start();
      await until(() => expect(deleted).toEqual([[{ ids: [ownDeleted] }], [{ ids: [othersDeleted] }]]));
      await until(() => expect(ids()).toEqual([own, others]));
      await nothingPending();
    });

    it("shares 10,000 entries with a replica: each is handled once and nothing is left pending", async () => {
      const a = recorder();
      const b = recorder();
      await start({ handle: a.handle, consumer: "governor@a:8044", reclaimIdleMs: NEVER_MS });
      await start({ handle: b.handle, consumer: "governor@b:8044", reclaimIdleMs: NEVER_MS });
      const ids = await rig.add(10_000);
      await until(() => expect(a.entries.length + b.entries.length).toBeGreaterThanOrEqual(ids.length));
      expect(a.entries.length + b.entries.length).toBe(ids.length);
      expect(new Set([...a.ids(), ...b.ids()])).toEqual(new Set(ids));
      expect(Math.min(a.entries.length, b.entries.length)).toBeGreaterThan(0);
      await nothingPending();
    });
  });

  describe(`${name}: what becomes of an entry`, () => {
    it("acknowledges on `ack`, and leaves a `done` entry to the handler's own script", async () => {
      const [acknowledged, done] = await rig.add(2);
      const { handle, ids } = recorder(({ id }) => (id === done ? DONE : ACK));
      await start({ handle, reclaimIdleMs: NEVER_MS });
      await until(() => expect(ids()).toEqual([acknowledged, done]));
      await until(async () => {
        const pending = (await rig.redis.xpending(STREAM, GROUP, "-", "+", 10)) as [string][];
        expect(pending.map(([id]) => id)).toEqual([done]);
      });
    });

    it("brings back what asked for a retry, and gives it up after the last delivery, with the reason", async () => {
      const [id = ""] = await rig.add(1);
      const { handle, entries } = recorder(() => ({ kind: "retry", reason: "no snapshot yet" }));
      const consumer = rig.consumer(make, { handle, maxDeliveries: 3 });
      const deadLettered = recordEvents(consumer, "deadLettered");
      await consumer.start();
      await until(() => expect(deadLettered).toHaveLength(1));
      expect(entries.map(({ deliveries }) => deliveries)).toEqual([1, 2, 3]);
      const reason = "given up after 3 deliveries: no snapshot yet";
      expect(deadLettered[0]?.[0]).toMatchObject({ entry: { id }, reason });
      expect(await rig.deadLetters()).toMatchObject([
        { stream: STREAM, group: GROUP, entry_id: id, reason, deliveries: "3", "entry.n": "0" },
      ]);
      await nothingPending();
    });

    it("brings back what asked for a retry as soon as what it waits for has happened", async () => {
      const open = gate();
      const { handle, entries } = recorder(({ deliveries }) =>
        deliveries === 1 ? { kind: "retry", reason: "not read yet", again: open.passed } : ACK,
      );
      const consumer = rig.consumer(make, { handle, reclaimIdleMs: 30_000 });
      await consumer.start();
      const [id] = await rig.add(1);
      await until(() => expect(entries.map((entry) => entry.id)).toEqual([id]));
      open.open();
      await until(async () => expect(await rig.pendingCount()).toBe(0));
      expect(entries.map(({ deliveries }) => deliveries)).toEqual([1, 2]);
    });

    it("brings it back if that had happened before", async () => {
      const { handle, entries } = recorder(({ deliveries }) =>
        deliveries === 1 ? { kind: "retry", reason: "not read yet", again: Promise.resolve() } : ACK,
      );
      await rig.consumer(make, { handle, reclaimIdleMs: 30_000 }).start();
      await rig.add(1);
      await until(() => expect(entries).toHaveLength(2));
      await until(async () => expect(await rig.pendingCount()).toBe(0));
    });

    it("brings all of it back at once, though it is far more than is handled at the same time", async () => {
      const open = gate();
      const { handle, entries } = recorder(({ deliveries }) =>
        deliveries === 1 ? { kind: "retry", reason: "not read yet", again: open.passed } : ACK,
      );
      const ids = await rig.add(100);
      await start({ handle, concurrency: 3, reclaimIdleMs: NEVER_MS });
      await until(() => expect(entries).toHaveLength(100));
      open.open();
      await nothingPending();
      expect(entries.slice(100).map(({ id, deliveries }) => ({ id, deliveries }))).toEqual(
        ids.map((id) => ({ id, deliveries: 2 })),
      );
    });

    it("never gives up what is blameless", async () => {
      await rig.add(1);
      const { handle, entries } = recorder(({ deliveries }) =>
        deliveries > 4 ? ACK : { kind: "retry", reason: "its partition is away", blameless: true },
      );
      const consumer = rig.consumer(make, { handle, maxDeliveries: 2 });
      const deadLettered = recordEvents(consumer, "deadLettered");
      await consumer.start();
      await until(() => expect(entries.map(({ deliveries }) => deliveries)).toEqual([1, 2, 3, 4, 5]));
      await nothingPending();
      expect(deadLettered).toEqual([]);
    });

    it("stops retrying once it succeeds", async () => {
      await rig.add(1);
      const { handle, entries } = recorder(({ deliveries }) =>
        deliveries === 1 ? { kind: "retry", reason: "not yet" } : ACK,
      );
      await start({ handle });
      await until(() => expect(entries).toHaveLength(2));
      await nothingPending();
      expect(await rig.deadLetters()).toEqual([]);
    });

    it("moves a bad entry to the dead letters at once, and goes on with the others", async () => {
      const ids = await rig.add(3);
      const { handle } = recorder(({ id }) => (id === ids[1] ? { kind: "dead", reason: "no symbol" } : ACK));
      await start({ handle });
      await until(async () =>
        expect(await rig.deadLetters()).toMatchObject([{ entry_id: ids[1], reason: "no symbol" }]),
      );
      await nothingPending();
    });

    it.each([
      ["an Error", new Error("the handler broke"), "the handler broke"],
      ["text", "broken", "broken"],
      ["nothing", undefined, "undefined"],
    ])("takes a handler that throws %s for one that asks for a retry", async (_, thrown, reason) => {
      await rig.add(1);
      const { handle, entries } = recorder(() => {
        throw thrown;
      });
      const consumer = rig.consumer(make, { handle, maxDeliveries: 2 });
      const failed = recordEvents(consumer, "failed");
      await consumer.start();
      await until(async () => expect(await rig.deadLetters()).toHaveLength(1));
      expect(entries).toHaveLength(2);
      expect(failed.map(([{ error }]) => error.message)).toEqual([reason, reason]);
      expect((await rig.deadLetters())[0]?.["reason"]).toBe(`given up after 2 deliveries: ${reason}`);
    });

    it("acknowledges nothing, reclaims nothing and gives nothing up where delivered counts as handled", async () => {
      const ids = await rig.add(4);
      const { handle, entries } = recorder(({ id }) => {
        if (id === ids[0]) throw new Error("the handler broke");
        if (id === ids[1]) return { kind: "dead", reason: "no symbol" };
        return id === ids[2] ? { kind: "retry", reason: "not yet" } : ACK;
      });
      const consumer = rig.consumer(make, { handle, acknowledge: false, maxDeliveries: 1 });
      const handled = recordEvents(consumer, "handled");
      await consumer.start();
      await until(() => expect(handled).toHaveLength(4));
      expect(await rig.pendingCount()).toBe(0);
      expect(await rig.redis.exists(keys.streams.deadLetter)).toBe(0);
      expect(entries).toHaveLength(4);
    });
  });

  describe(`${name}: how much at a time`, () => {
    it("handles the entries of one key one after another, and other keys meanwhile", async () => {
      const held = gate();
      const [first, second, other] = await rig.add(3, (n) => (n === 2 ? "ETHUSDT" : "BTCUSDT"));
      const { handle, ids } = recorder(async ({ id }) => {
        if (id === first) await held.passed;
        return ACK;
      });
      await start({ handle, orderBy: ({ fields }) => fields["symbol"] ?? "", reclaimIdleMs: NEVER_MS });
      await until(() => expect(ids()).toEqual([first, other]));
      held.open();
      await until(() => expect(ids()).toEqual([first, other, second]));
      await nothingPending();
    });

    it("keeps each key's order under load", async () => {
      const ids = await rig.add(600, (n) => `S${n % 7}`);
      const busy = new Set<string>();
      const overlaps: string[] = [];
      const { handle, entries } = recorder(async ({ fields }) => {
        const symbol = fields["symbol"] ?? "";
        if (busy.has(symbol)) overlaps.push(symbol);
        busy.add(symbol);
        for (let turns = Number(fields["n"]) % 5; turns > 0; turns--) await rig.redis.ping();
        busy.delete(symbol);
        return ACK;
      });
      await start({ handle, orderBy: ({ fields }) => fields["symbol"] ?? "", concurrency: 40 });
      await until(() => expect(entries).toHaveLength(600));
      expect(overlaps).toEqual([]);
      for (let key = 0; key < 7; key++) {
        const handled = entries.filter(({ fields }) => fields["symbol"] === `S${key}`).map(({ id }) => id);
        expect(handled).toEqual(ids.filter((_, n) => n % 7 === key));
      }
      await nothingPending();
    });

    it("never runs more handlers than its concurrency, reclaimed entries included", async () => {
      await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
      await rig.add(60);
      await rig.givenPending("governor@killed:8044", 30);
      let running = 0;
      let most = 0;
      const { handle, ids } = recorder(async () => {
        most = Math.max(most, ++running);
        await rig.redis.ping();
        running--;
        return ACK;
      });
      await start({ handle, concurrency: 4, reclaimIdleMs: 20 });
      await until(async () => {
        await rig.add(4);
        expect(new Set(ids()).size).toBeGreaterThan(100);
      });
      await nothingPending();
      expect(most).toBe(4);
    });

    it("does not take a slow handler for a dead one, nor counts its entry as delivered again", async () => {
      const [id] = await rig.add(1);
      const held = gate();
      const slow = recorder(async () => {
        await held.passed;
        return ACK;
      });
      const replica = recorder();
      // Long enough that a loaded machine does not make the live replica look like a dead one.
      const reclaimIdleMs = 1_000;
      await start({ handle: slow.handle, consumer: "governor@a:8044", reclaimIdleMs });
      await until(() => expect(slow.ids()).toEqual([id]));
      await start({ handle: replica.handle, consumer: "governor@b:8044", reclaimIdleMs });
      await until(async () => expect(await callsOf(rig, "xautoclaim")).toBeGreaterThan(6));
      const [pending] = (await rig.redis.xpending(STREAM, GROUP, "-", "+", 1)) as [
        string,
        string,
        number,
        number,
      ][];
      expect(pending).toMatchObject([id, "governor@a:8044", expect.any(Number), 1]);
      held.open();
      await nothingPending();
      expect(replica.entries).toEqual([]);
    });
  });

  describe(`${name}: its group`, () => {
    it.each([
      ["the group", () => rig.redis.xgroup("DESTROY", STREAM, GROUP)],
      ["the stream", () => rig.redis.del(STREAM)],
      ["everything", () => rig.redis.flushall()],
    ])("is created again at 0 when %s is deleted, and says so", async (_, destroy) => {
      const { handle, ids } = recorder();
      const consumer = rig.consumer(make, { handle });
      const groups = recordEvents(consumer, "group");
      const lost = recordEvents(consumer, "groupLost");
      await consumer.start();
      const [before = ""] = await rig.add(1);
      await until(() => expect(ids()).toContain(before));
      await nothingPending();
      await destroy();
      const [after = ""] = await rig.add(1);
      await until(() => expect(ids()).toContain(after));
      await nothingPending();
      expect(groups).toEqual([[{ created: true }], [{ created: true }]]);
      expect(lost.length).toBeGreaterThan(0);
      expect(consumer.groupLostAtMs).toBeGreaterThan(0);
      expect(consumer.groupReady).toBe(true);
    });

    it("is shared: the second replica finds it", async () => {
      await start({ handle: recorder().handle });
      const second = rig.consumer(make, { handle: recorder().handle, consumer: "governor@b:8044" });
      const groups = recordEvents(second, "group");
      await second.start();
      expect(groups).toEqual([[{ created: false }]]);
    });
  });

  describe(`${name}: stop`, () => {
    it("waits for running handlers, and leaves what has not begun pending", async () => {
      const [running, queued] = await rig.add(2, () => "BTCUSDT");
      const held = gate();
      const { handle, ids } = recorder(async () => {
        await held.passed;
        return ACK;
      });
      const consumer = await start({ handle, orderBy: () => "BTCUSDT", reclaimIdleMs: NEVER_MS });
      await until(() => expect(ids()).toEqual([running]));
      let stopped = false;
      const stopping = Promise.all([consumer.stop(), consumer.stop()]).then(() => (stopped = true));
      await rig.redis.ping();
      expect(stopped).toBe(false);
      held.open();
      await stopping;
      expect(ids()).toEqual([running]);
      const pending = (await rig.redis.xpending(STREAM, GROUP, "-", "+", 10)) as [string][];
      expect(pending.map(([id]) => id)).toEqual([queued]);
    });

    it("ends at once when idle, and before a start", async () => {
      const idle = await start({ handle: recorder().handle });
      await idle.stop();
      const never = rig.consumer(make, { handle: recorder().handle });
      await never.stop();
      await never.start();
      const [id] = await rig.add(1);
      expect(await rig.givenPending("somebody else", 10)).toEqual([id]);
    });

    it("ends while full, with its handlers", async () => {
      const ids = await rig.add(3);
      const held = gate();
      const { handle, entries } = recorder(async () => {
        await held.passed;
        return ACK;
      });
      const consumer = await start({ handle, concurrency: 2, reclaimIdleMs: NEVER_MS });
      await until(() => expect(entries).toHaveLength(2));
      const stopping = consumer.stop();
      held.open();
      await stopping;
      expect(await rig.pendingCount()).toBe(0);
      expect(await rig.givenPending("somebody else", 10)).toEqual([ids[2]]);
    });
  });
}

async function callsOf({ redis }: Rig, command: string): Promise<number> {
  const stats = await redis.info("commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
