/**
 * Scripts and their typed wrappers agree: each script has one caller, and `consume` gives every reply of its header.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadScript } from "@quantum/lua";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAR_MS, GOVERNOR, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(join(REPOSITORY, file), "utf8");
const inOrder = (names: (string | undefined)[]) => names.toSorted((a = "", b = "") => a.localeCompare(b));

describe("bindScript", () => {
  it("has one caller for each script", () => {
    const scripts = globSync("lua/**/*.lua", { cwd: REPOSITORY }).filter((file) =>
      read(file).includes("\n-- REPLY\n"),
    );
    const callers = globSync("{cli,packages,services}/*/src/**/*.ts", { cwd: REPOSITORY })
      .filter((file) => !/\.(test|fixture)\./.test(file))
      .flatMap((file) => [...read(file).matchAll(/bindScript\(\s*"([^"]+)"/g)]);
    expect(inOrder(callers.map(([, name]) => `lua/${name}.lua`))).toEqual(inOrder(scripts));
  });
});

describe("permits/consume", () => {
  let plans: Awaited<ReturnType<typeof startPlans>>;
  beforeAll(async () => void (plans = await startPlans()));
  afterAll(() => plans.stop());
  const { lone, replies } = loadScript("permits/consume");

  it("gives each answer of its header", async () => {
    const { redis } = plans;
    const run = async () => {
      const called = [keys.plan(PLAN), keys.spent(PLAN), keys.waiting(SYMBOL), keys.streams.execute];
      called.push(
        keys.handedOver,
        keys.streams.result,
        keys.killSwitch,
        keys.killSwitchSeen,
        keys.disarm,
        keys.disarmOf("2026-01-01"),
      );
      called.push(keys.permit("p33", PLAN), keys.block("p33", PLAN));
      const args = [PLAN, "", "5000", "100", "60", "60", "", "p33", "p33", "allow"];
      return (await redis.eval(lone.source, called.length, ...called, ...args)) as string[];
    };
    const answers = [await run()];
    await plans.givenPlan(FAR_MS);
    answers.push(await run());
    await plans.givenPermits({ p33: GOVERNOR });
    answers.push(await run());
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    answers.push(await run());

    expect(new Set(answers.map(([status]) => status))).toEqual(new Set(replies));
    // Replies must be text, because Lua truncates an array at nil and floats to integers.
    expect(answers.flat().every((word) => typeof word === "string")).toBe(true);
    expect(answers.map((answer) => answer.length)).toEqual([1, 3, 7, 6]);
  });
});
