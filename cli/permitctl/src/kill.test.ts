/** The kill switch: on in one action, whoever may halt; off as a change like any other. */
import { createKeys } from "@quantum/contract";
import { keepRunning, urlOfUser } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { fieldsOf } from "@quantum/streams";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const keys = createKeys();
const { server, redis } = await useRedis();
const three = await useRedis({ partitions: 3 });
beforeEach(async () => {
  await redis.flushall();
  await redis.xgroup("CREATE", keys.streams.plan, "governor", "$", "MKSTREAM");
});

const as = (user: string, ...args: string[]) => permitctl(urlOfUser(server.url, user), args);
const audited = async () =>
  (await redis.xrange(keys.streams.operatorAudit, "-", "+")).map(([, flat]) => {
    const { action, reason } = fieldsOf(flat);
    return { action, reason };
  });
const killLine = async () =>
  (await as("viewer", "status")).stdout.split("\n").find((line) => line.startsWith("kill switch"));

describe("kill on", () => {
  it("halts without a question or a reason, and says how to go on", async () => {
    const { code, stdout, stderr } = await as("operator", "kill", "on");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^The kill switch is ON\.\nNo plan opens, /);
    expect(stdout).toContain("When there is time, say why: permitctl kill reason TEXT\n");
    expect(stdout).toContain("To go on: permitctl kill off.");
    expect(await redis.get(keys.killSwitch)).toBe("1");
    expect(await audited()).toEqual([{ action: "kill.on", reason: "" }]);
    expect(await killLine()).toMatch(
      /^kill switch {3}ON for \d+ m?s, by \S+@\S+: no reason yet, permitctl kill/,
    );
  });

  it("takes a reason later, also from the next operator, and status shows it", async () => {
    await as("operator", "kill", "on");
    expect((await as("operator", "kill", "reason", "the feed has gone mad")).code).toBe(0);
    expect(await killLine()).toMatch(/, by \S+@\S+: the feed has gone mad$/);
    const again = await as("operator", "kill", "on", "--reason", "and prices are stale");
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^The kill switch was ON already\.\n/),
    });
    expect(await killLine()).toMatch(/: and prices are stale$/);
    expect((await audited()).map(({ action }) => action)).toEqual(["kill.on", "kill.reason", "kill.reason"]);
    expect((await as("operator", "kill", "reason", " ")).code).toBe(2);
  });

  it.each([
    [undefined, "1", true],
    ["0", "01", true],
    ["off", "off1", true],
    ["1", "1", false],
  ])("halts under the user `halt` where the key holds %s", async (before, after, changed) => {
    if (before !== undefined) await redis.set(keys.killSwitch, before);
    const warned = vi.spyOn(console, "warn");
    const { code, stdout, stderr } = await as("halt", "kill", "on", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({ kill_switch: "on", changed, recorded: false });
    // Nor does the client library write a line of its own.
    expect(warned).not.toHaveBeenCalled();
    expect(await redis.get(keys.killSwitch)).toBe(after);
    expect(await audited()).toEqual([]);
  });

  it("says under the user `halt` that nothing is on record, and status says so, too", async () => {
    await as("operator", "kill", "on", "--reason", "an older halt");
    await as("operator", "kill", "off", "--yes", "--reason", "over");
    expect((await as("halt", "kill", "on")).stdout).toContain("No audit entry could be written");
    expect(await killLine()).toMatch(/^kill switch {3}ON, no entry says by whom .*: no reason yet/);
    await as("operator", "kill", "reason", "halted from host 3");
    expect(await killLine()).toMatch(/^kill switch {3}ON, no entry says by whom .*: halted from host 3$/);
  });

  it("halts a Redis without a pipeline, too, and says that it may be the wrong one", async () => {
    await redis.flushall();
    expect(await as("operator", "kill", "on")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^The kill switch is ON\./),
      stderr: expect.stringContaining("no service of a pipeline has ever started on this Redis"),
    });
    expect(await redis.get(keys.killSwitch)).toBe("1");
  });

  it("is refused to whoever may not halt, and changes nothing", async () => {
    expect(await as("viewer", "kill", "on")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("this Redis user lacks a required right"),
    });
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });
});

describe("kill off", () => {
  it("needs a confirmation and a reason", async () => {
    await as("operator", "kill", "on");
    expect(await as("operator", "kill", "off", "--yes")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes and --reason TEXT are required"),
    });
    expect(await redis.get(keys.killSwitch)).toBe("1");
    expect((await as("operator", "kill", "off", "--yes", "--reason", "over")).code).toBe(0);
    expect(await redis.exists(keys.killSwitch)).toBe(0);
    expect(await killLine()).toBe("kill switch   off");
  });
});

describe("with three partitions", () => {
  const THREE = [0, 1, 2].map((partition) => createKeys({ partition }));
  const { server, redis } = three;
  const as = (user: string, ...args: string[]) => permitctl(urlOfUser(server.url, user), args);
  const killLine = async () =>
    (await as("viewer", "status")).stdout.split("\n").find((line) => line.startsWith("kill switch"));
  const switches = () => redis.mget([...THREE, keys].map(({ killSwitch }) => killSwitch));
  const PLACES = "in q0, q1, q2 and the wire's key";
  let marks: { stop: () => Promise<void> };
  beforeEach(async () => {
    await redis.flushall();
    await redis.set(keys.partitions, "3");
    await redis.xgroup("CREATE", THREE[0]?.streams.plan ?? "", "governor", "$", "MKSTREAM");
    marks = await keepRunning(redis, THREE);
  });
  afterEach(() => marks.stop());

  it.each(["", "banana", "65", "3>1", "3>6 copied"])(
    "halts by the wire's key while Redis says that there are %j, and says that it is all it knows",
    async (text) => {
      await redis.set(keys.partitions, text);
      const on = await as("operator", "kill", "on");
      expect(on).toMatchObject({ code: 3, stdout: "" });
      expect(on.stderr).toContain(
        `The kill switch is ON in the wire's key, and not known to be in the partitions, whose number is not known (${keys.partitions} says ${JSON.stringify(text)}: `,
      );
      expect(on.stderr).toContain(
        "PARTITIONS=N says how many there are. Where it is not on, orders can leave",
      );
      expect(await switches()).toEqual([null, null, null, "1"]);
      // Whoever knows better reaches all of them.
      const known = await permitctl(urlOfUser(server.url, "operator"), ["kill", "on"], undefined, {
        PARTITIONS: "3",
      });
      expect(known.stdout).toMatch(new RegExp(`^The kill switch is ON ${PLACES}\\.\n`));
      expect(await switches()).toEqual(["1", "1", "1", "1"]);
      // Nothing else is done without the number.
      const off = ["kill", "off", "--yes", "--reason", "over"];
      expect(
        await permitctl(urlOfUser(server.url, "operator"), off, undefined, { PARTITIONS: "3" }),
      ).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`${keys.partitions} says ${JSON.stringify(text)}: `),
      });
      expect(await switches()).toEqual(["1", "1", "1", "1"]);
    },
  );

  it("turns all on and off, and says where", async () => {
    const on = await as("operator", "kill", "on", "--reason", "a drill");
    expect(on).toMatchObject({ code: 0, stderr: "" });
    expect(on.stdout).toMatch(new RegExp(`^The kill switch is ON ${PLACES}\\.\n`));
    expect(await switches()).toEqual(["1", "1", "1", "1"]);
    expect(await killLine()).toMatch(/^kill switch {3}ON for \d+ m?s, by \S+@\S+: a drill \(it is on in q0/);
    const off = await as("operator", "kill", "off", "--yes", "--reason", "over");
    expect(off).toMatchObject({ code: 0, stdout: `The kill switch is off ${PLACES}.\n` });
    expect(await switches()).toEqual([null, null, null, null]);
    expect(await killLine()).toBe("kill switch   off");
  });

  it("turns all on under the user `halt`, who may know how many there are", async () => {
    expect(await as("halt", "kill", "on")).toMatchObject({ code: 0 });
    expect(await switches()).toEqual(["1", "1", "1", "1"]);
  });

  it("is refused to whoever may not halt", async () => {
    const refused = { code: 2, stderr: expect.stringContaining("this Redis user lacks a required right") };
    expect(await as("viewer", "kill", "on")).toMatchObject(refused);
    expect(await switches()).toEqual([null, null, null, null]);
  });

  it("shows a partition that nobody shows the wire's key", async () => {
    await marks.stop();
    await redis.del(THREE[1]?.killSwitchSeen ?? "");
    expect(await killLine()).toMatch(
      /^kill switch {3}ON, it counts as on in q1, which no apply-layer has shown/,
    );
    expect(await as("operator", "kill", "off", "--yes", "--reason", "x")).toMatchObject({
      code: 0,
      stdout: "The kill switch was off already.\n",
    });
  });
});
