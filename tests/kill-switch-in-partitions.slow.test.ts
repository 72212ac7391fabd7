/** The wire's kill switch on a real cluster: how it reaches the partitions, and what they do when nobody can read it. */
import { createKeys, slotOf } from "@quantum/contract";
import { patienceMs, urlOfUser } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { haltEverywhere, type OpenAccess, operations, withAccess } from "@quantum/operator";
import type { RedisClient } from "@quantum/redis";
import { readKillSwitchSeen } from "@quantum/service-kit";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";

const PARTITIONS = 6;
const STARTED_WITHIN_MS = 90_000;
/** docs/wire.md promises a second where a watcher lives; a busy machine needs more. */
const SHOWN_WITHIN = { timeout: patienceMs(5_000) };
/** A mark's 5 s, a failover, and what a busy machine needs. */
const AFTER_A_LOSS = { timeout: patienceMs(30_000), interval: 100 };
const WIRE = createKeys().killSwitch;

let rig: Rig<"cluster">;
let wire: RedisClient;
beforeAll(async () => {
  rig = await startRig({ partitions: PARTITIONS, redis: "cluster" });
  wire = rig.stored.connectTo(WIRE);
  await rig.start("apply-layer");
}, STARTED_WITHIN_MS);
afterAll(() => rig.stop());

const seenIn = async (numbers: readonly number[]) => {
  const { all } = rig.stored.partitions;
  const some = all.filter(({ number }) => numbers.includes(number));
  const seen = await Promise.all(
    some.map(({ redis, keys }) => readKillSwitchSeen(redis, keys).catch(() => "no answer")),
  );
  return [...new Set(seen)];
};
const EVERYWHERE = Array.from({ length: PARTITIONS }, (_, number) => number);

it("reaches every partition within a second when it is set by hand, and ends as soon", async () => {
  expect(await seenIn(EVERYWHERE)).toEqual(["running"]);
  await wire.set(WIRE, "by hand");
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["halted"]);
  const { all } = rig.stored.partitions;
  const own = await Promise.all(all.map(({ redis, keys }) => redis.exists(keys.killSwitch)));
  expect(own).toEqual(EVERYWHERE.map(() => 0));
  await wire.del(WIRE);
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["running"]);
});

const BY = { who: "ann@desk", reason: "a drill" };
const asUser = <T>(user: string, work: (access: OpenAccess) => Promise<T>) =>
  withAccess({ url: urlOfUser(rig.redisUrl, user), name: "test", readyCheck: false }, work);

it("and the partitions' own are turned on and off by an operator", async () => {
  const on = await asUser("operator", (access) => operations["kill-on"].run(access, {}, BY));
  expect(on).toContain("The kill switch is ON in q0, q1, q2, q3, q4, q5 and the wire's key.");
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["halted"]);
  const off = await asUser("operator", (access) => operations["kill-off"].run(access, {}, BY));
  expect(off).toBe("The kill switch is off in q0, q1, q2, q3, q4, q5 and the wire's key.");
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["running"]);
});

it("is turned on by the Redis user `halt`, who may do nothing else", async () => {
  await asUser("halt", (access) => haltEverywhere(access, BY));
  expect(await wire.get(WIRE)).toBe("1");
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["halted"]);
  await wire.del(WIRE);
  await expect.poll(() => seenIn(EVERYWHERE), SHOWN_WITHIN).toEqual(["running"]);
});

it(
  "is read from the new master after a failover",
  async () => {
    await rig.redis.killMaster(slotOf(WIRE));
    await expect.poll(() => seenIn(EVERYWHERE), AFTER_A_LOSS).toEqual(["running"]);
    await expect.poll(() => wire.set(WIRE, "1").catch(() => "not yet"), AFTER_A_LOSS).toBe("OK");
    await expect.poll(() => seenIn(EVERYWHERE), AFTER_A_LOSS).toEqual(["halted"]);
    await wire.del(WIRE);
    await expect.poll(() => seenIn(EVERYWHERE), AFTER_A_LOSS).toEqual(["running"]);
    await rig.redis.heal();
  },
  patienceMs(120_000),
);

it(
  "halts the other partitions while its master does not answer, and no longer than that",
  async () => {
    const lost = await rig.redis.masterOf(slotOf(WIRE));
    const masters = await Promise.all(
      rig.stored.partitions.map(({ keys }) => rig.redis.masterOf(slotOf(keys.killSwitch))),
    );
    const others = EVERYWHERE.filter((number) => masters[number] !== lost);
    expect(others.length).toBeGreaterThan(0);
    // Nobody takes its place.
    await rig.redis.killReplicas(slotOf(WIRE));
    const pid = rig.redis.pidOf(lost);
    onTestFinished(() => void process.kill(pid, "SIGCONT"));
    process.kill(pid, "SIGSTOP");
    await expect.poll(() => seenIn(others), AFTER_A_LOSS).toEqual(["unread"]);
    process.kill(pid, "SIGCONT");
    await rig.redis.heal();
    await expect.poll(() => seenIn(EVERYWHERE), AFTER_A_LOSS).toEqual(["running"]);
  },
  patienceMs(180_000),
);
