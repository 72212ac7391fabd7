import { array, assert, asyncProperty, constant, integer, nat, oneof, record } from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Rig, GROUP, startRig, STREAM } from "./rig.fixture.ts";
import { groupHealth, trim } from "./health.ts";

/** Redis trims whole nodes. Small ones make trimming visible with a few entries. */
const NODE_ENTRIES = 3;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ config: { "stream-node-max-entries": String(NODE_ENTRIES) } });
});
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

const createGroup = (group: string) => rig.redis.xgroup("CREATE", STREAM, group, "0", "MKSTREAM");
const ids = async () => (await rig.redis.xrange(STREAM, "-", "+")).map(([id]) => id);
const read = async (group: string, count: number) =>
  rig.redis.xreadgroup("GROUP", group, "a", "COUNT", count, "STREAMS", STREAM, ">");
const pendingIds = async (group: string) =>
  ((await rig.redis.xpending(STREAM, group, "-", "+", 1_000)) as [string][]).map(([id]) => id);

describe("a group's lag", () => {
  it("is 0 once all is delivered, also where Redis counts too many, as a promoted replica does", async () => {
    await createGroup(GROUP);
    await rig.add(5);
    await read(GROUP, 5);
    await rig.add(1);
    const [last = ""] = (await ids()).slice(4, 5);
    await rig.redis.call("XGROUP", "SETID", STREAM, GROUP, last, "ENTRIESREAD", 1);
    expect((await groupHealth(rig.redis, STREAM, GROUP)).lag).toBe(5);
    await rig.redis.call("XGROUP", "SETID", STREAM, GROUP, (await ids()).at(-1) ?? "", "ENTRIESREAD", 1);
    await rig.redis.xgroup("CREATE", STREAM, "other", "0");
    expect((await groupHealth(rig.redis, STREAM, GROUP)).lag).toBe(0);
    expect((await groupHealth(rig.redis, STREAM, "other")).lag).toBe(6);
  });
});

describe("trim", () => {
  it("leaves a stream within its bound alone, and one that does not exist", async () => {
    expect(await trim(rig.redis, STREAM, 10)).toBe(0);
    expect(await rig.redis.exists(STREAM)).toBe(0);
    await rig.add(10);
    expect(await trim(rig.redis, STREAM, 10)).toBe(0);
  });

  it("costs one XLEN when there is nothing to do", async () => {
    await createGroup(GROUP);
    await rig.add(10);
    await rig.redis.config("RESETSTAT");
    await trim(rig.redis, STREAM, 10);
    const calls = (await rig.redis.info("commandstats")).match(/cmdstat_[^:]+:calls=\d+/g);
    expect(calls?.filter((call) => !/info|config/.test(call))).toEqual(["cmdstat_xlen:calls=1"]);
  });

  it("takes nothing where no group has read: one that is created later starts at 0", async () => {
    await rig.add(20);
    expect(await trim(rig.redis, STREAM, 6)).toBe(0);
  });

  it("waits for the slowest group", async () => {
    await createGroup("governor");
    await createGroup("p33");
    const added = await rig.add(20);
    await read("governor", 20);
    await rig.redis.xack(STREAM, "governor", ...added);
    expect(await trim(rig.redis, STREAM, 6)).toBe(0);
    await read("p33", 20);
    expect(await trim(rig.redis, STREAM, 6)).toBe(0);
    await rig.redis.xack(STREAM, "p33", ...added);
    await trim(rig.redis, STREAM, 6);
    expect((await ids()).length).toBeLessThan(6 + NODE_ENTRIES);
  });

  it("never takes what a group was not delivered or has not acknowledged, keeps enough, and ends at its bound", async () => {
    const step = oneof(
      record({ kind: constant("add" as const), count: integer({ min: 1, max: 12 }) }),
      record({
        kind: constant("read" as const),
        group: nat(1),
        count: integer({ min: 1, max: 12 }),
      }),
      record({ kind: constant("ack" as const), group: nat(1), which: array(nat(30)) }),
      record({ kind: constant("trim" as const) }),
    );
    const groups = ["governor", "p33"];
    await assert(
      asyncProperty(array(step, { maxLength: 40 }), integer({ min: 1, max: 10 }), async (steps, keep) => {
        await rig.redis.flushall();
        const added: string[] = [];
        const delivered = [0, 0];
        for (const group of groups) await createGroup(group);
        const trimAndCheck = async () => {
          const before = await ids();
          const pending = await Promise.all(groups.map(pendingIds));
          const went = await trim(rig.redis, STREAM, keep);
          const left = await ids();
          expect(left).toEqual(before.slice(went));
          expect(left.length).toBeGreaterThanOrEqual(Math.min(keep, before.length));
          const undelivered = delivered.flatMap((count) => added.slice(count));
          expect(left).toEqual(expect.arrayContaining([...new Set([...undelivered, ...pending.flat()])]));
        };
        for (const action of steps) {
          if (action.kind === "add") added.push(...(await rig.add(action.count)));
          if (action.kind === "trim") await trimAndCheck();
          if (action.kind === "read") {
            const was = delivered[action.group] ?? 0;
            await read(groups[action.group] ?? "", action.count);
            delivered[action.group] = Math.min(was + action.count, added.length);
          }
          if (action.kind === "ack") {
            const pending = await pendingIds(groups[action.group] ?? "");
            const chosen = action.which.flatMap((index) => pending[index] ?? []);
            if (chosen.length > 0) await rig.redis.xack(STREAM, groups[action.group] ?? "", ...chosen);
          }
        }
        await trimAndCheck();
        for (const group of groups) {
          await read(group, 1_000);
          for (const id of await pendingIds(group)) await rig.redis.xack(STREAM, group, id);
        }
        await trim(rig.redis, STREAM, keep);
        expect((await ids()).length).toBeLessThan(keep + NODE_ENTRIES);
      }),
      { numRuns: 60 },
    );
  });

  it("goes through a long stream in steps that keep nobody waiting", async () => {
    await rig.add(25_000);
    await rig.redis.xgroup("CREATE", STREAM, GROUP, "$");
    await rig.redis.config("RESETSTAT");
    await trim(rig.redis, STREAM, 10);
    expect(await rig.redis.xlen(STREAM)).toBe(10);
    expect(await rig.redis.info("commandstats")).toMatch(/cmdstat_xtrim:calls=3,/);
  });

  it("does no harm when replicas trim at the same time", async () => {
    await createGroup(GROUP);
    const added = await rig.add(50);
    await read(GROUP, 30);
    await rig.redis.xack(STREAM, GROUP, ...added.slice(0, 20));
    await Promise.all(Array.from({ length: 5 }, () => trim(rig.redis, STREAM, 10)));
    const left = await ids();
    expect(left).toEqual(expect.arrayContaining(added.slice(20)));
    expect(left.length).toBeLessThan(30 + NODE_ENTRIES);
  });
});

describe("groupHealth", () => {
  it("tells what is not delivered, what is pending, and how long the oldest has been", async () => {
    await createGroup(GROUP);
    expect(await groupHealth(rig.redis, STREAM, GROUP)).toMatchObject({
      group: GROUP,
      lag: 0,
      pending: 0,
      oldestIdleMs: 0,
    });
    await rig.add(5);
    await rig.givenPending("a", 2);
    await rig.redis.xclaim(STREAM, GROUP, "a", 0, (await ids())[0] ?? "", "IDLE", 7_000);
    const health = await groupHealth(rig.redis, STREAM, GROUP);
    expect(health).toMatchObject({ lag: 3, pending: 2 });
    expect(health.oldestIdleMs).toBeGreaterThanOrEqual(7_000);
    expect(health.oldestIdleMs).toBeLessThan(17_000);
  });

  it("says NaN where Redis cannot tell the lag", async () => {
    await createGroup(GROUP);
    const added = await rig.add(5);
    await rig.givenPending("a", 1);
    await rig.redis.xdel(STREAM, added[3] ?? "");
    expect(await groupHealth(rig.redis, STREAM, GROUP)).toMatchObject({ lag: Number.NaN, pending: 1 });
  });

  it("fails for a group that does not exist", async () => {
    await rig.add(1);
    await expect(groupHealth(rig.redis, STREAM, GROUP)).rejects.toThrow("NOGROUP");
  });
});
