/** The exit matrix: clocks, company and deaths in the middle. Each row ends flat, or says honestly what is left. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { addRunOperator, patienceMs } from "@quantum/harness";
import { afterEach, describe, expect, it } from "vitest";
import { type Ended, type ExitStage, expectFlat, expectOnlyReduced, openExitStage } from "./stage.ts";

const TIMEOUT_MS = 180_000;
const CLOCK = pathToFileURL(join(import.meta.dirname, "../../scripts/chaos/clock.preload.ts")).href;
const FIVE_MINUTES_MS = 300_000;
/** Long enough for something to happen between two orders. */
const SLOW = { kind: "latency", ms: 400, count: 1_000 };

let stage: ExitStage;
afterEach(async () => {
  await expectOnlyReduced(stage);
  await stage.stop();
});

/** Flat, or an exit code that says no and a summary that names each symbol that is open. */
async function expectHonest({ code, output }: Ended): Promise<void> {
  const open = Object.keys(await stage.open());
  expect(code === 0 ? open : [], "open, in spite of exit code 0").toEqual([]);
  expect(open.filter((symbol) => !output.includes(symbol))).toEqual([]);
}

describe("operators", () => {
  it.each([-FIVE_MINUTES_MS, FIVE_MINUTES_MS])(
    "one whose clock is %i ms off",
    { timeout: TIMEOUT_MS },
    async (shiftMs) => {
      stage = await openExitStage();
      const file = join(stage.rig.redis.dir, "operator.clock");
      await writeFile(file, String(shiftMs));
      expectFlat(
        await stage.flatten(["--all"], { NODE_OPTIONS: `--import ${CLOCK}`, CHAOS_CLOCK_FILE: file }),
      );
      expect(await stage.open()).toEqual({});
    },
  );

  it("two at once: everything is closed once", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    const another = await addRunOperator(stage.rig.keysFolder, "another");
    await stage.until(
      async () => (await stage.client.hget(stage.keys.exit, "keys")) === "2" || undefined,
      "the executor has read the second key",
    );
    await stage.fault({ ...SLOW, ms: 100 });
    const both = [
      await stage.exit(["flatten", "--all"]),
      await stage.exit(["flatten", "--all"], { PERMITCTL_OPERATOR_KEY: another }),
    ];
    for (const { ended } of both) expectFlat(await ended);
    expect(await stage.open()).toEqual({});
  });

  it(
    "one who interrupts: what is under way ends, and what is left is named",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      await stage.fault({ kind: "error", code: -4131, symbol: "ETHUSDT", count: 1_000 });
      const running = await stage.exit(["flatten", "ETHUSDT", "SOLUSDT"]);
      await stage.until(
        async () => !("SOLUSDT" in (await stage.open())) || undefined,
        "the other symbol is closed",
      );
      await running.interrupt();
      const ended = await running.ended;
      expect(ended.code).not.toBe(0);
      await expectHonest(ended);
    },
  );

  it("one whom nobody answers: no order, now or later", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    await stage.started.get("executor")?.stop();
    const running = await stage.exit(["flatten", "BTCUSDT"]);
    await running.until(/no executor/i);
    await running.interrupt();
    expect((await running.ended).code).not.toBe(0);
    await stage.replaceExecutor();
    const ended = async () => (await stage.client.xlen(stage.keys.streams.result)) > 0 || undefined;
    await stage.until(ended, "an executor that comes later has ended what was asked for");
    expect(await stage.sent()).toEqual([]);
  });
});

describe("deaths in the middle", () => {
  const claimed = async () => (await stage.client.zcard(stage.keys.unsettled("BTCUSDT"))) > 0 || undefined;
  const sent = async () => (await stage.sent()).length > 0 || undefined;

  it.each([
    ["a claim and its order", claimed],
    ["two orders", sent],
  ])(
    "the executor is killed between %s, and another takes over",
    { timeout: TIMEOUT_MS },
    async (where, isThere) => {
      stage = await openExitStage();
      await stage.fault(SLOW);
      const running = await stage.exit(["flatten", "--all"]);
      await stage.until(isThere, `it is between ${where}`);
      await stage.started.get("executor")?.kill();
      await stage.replaceExecutor();
      const ended = await running.ended;
      await expectHonest(ended);
      if (ended.code !== 0) expectFlat(await stage.flatten(["--all"]));
      expect(await stage.open()).toEqual({});
    },
  );

  it.each(["stopped", "killed"] as const)(
    "Redis is %s between two orders, and started again",
    { timeout: TIMEOUT_MS },
    async (how) => {
      stage = await openExitStage();
      await stage.fault(SLOW);
      const running = await stage.exit(["flatten", "--all"]);
      await stage.until(sent, "the first order is sent");
      if (how === "killed") await stage.rig.redis.kill();
      await stage.rig.redis.restart();
      const ended = await running.ended;
      await expectHonest(ended);
      await stage.sim("DELETE", "/sim/faults");
      if (ended.code !== 0) expectFlat(await stage.flatten(["--all"]));
      expect(await stage.open()).toEqual({});
    },
  );

  it(
    "Redis is started again between two plans: the next is sent within seconds",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      await stage.fault({ kind: "error", code: -4131, symbol: "ETHUSDT", count: 2 });
      const running = await stage.exit(["flatten", "ETHUSDT"]);
      await running.until(/next plan in 1 s/);
      await stage.rig.redis.restart();
      const startedAt = performance.now();
      expectFlat(await running.ended);
      // One that was held would be asked for over a minute.
      expect(performance.now() - startedAt).toBeLessThan(patienceMs(30_000));
    },
  );
});
