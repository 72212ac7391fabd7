/** Façades and scripts agree: on names, when a script is bound, and on every answer of `consume`. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadScript, packCalls } from "@quantum/lua";
import { bindScript } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAR_MS, GOVERNOR, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(join(REPOSITORY, file), "utf8");
const inOrder = (names: (string | undefined)[]) => names.toSorted((a = "", b = "") => a.localeCompare(b));

describe("bindScript", () => {
  const declaration = {
    keys: [
      "plan",
      "spent",
      "waiting",
      "executes",
      "handed_over",
      "results",
      "kill_switch",
      "disarm",
      "disarm_today",
    ],
    restKeys: "issuer",
    args: ["plan_id", "halt", "execute_ms", "grace_ms", "spent_sec", "overdue_ms", "quantity_issuer"],
    restArgs: "issuer",
  };

  it("takes the names of the header in their order", () => {
    expect(() => bindScript("permits/consume", declaration)).not.toThrow();
  });

  it.each([
    ["a name is missing", { keys: declaration.keys.slice(1) }],
    ["two names are swapped", { args: ["halt", "plan_id", ...declaration.args.slice(2)] }],
    ["there is one too many", { args: [...declaration.args, "more"] }],
    ["the rest has another name", { restKeys: "permit" }],
    ["the rest is forgotten", { restArgs: undefined }],
  ])("throws, naming script and names, when %s", (_, change) => {
    const { restArgs, ...others } = { ...declaration, ...change };
    const drifted = restArgs === undefined ? others : { ...others, restArgs };
    expect(() => bindScript("permits/consume", drifted)).toThrow(
      /^lua\/permits\/consume\.lua: (KEYS|ARGV) are/,
    );
  });

  it("has one caller for each script", () => {
    const scripts = globSync("lua/**/*.lua", { cwd: REPOSITORY }).filter((file) =>
      read(file).includes("\n-- REPLY\n"),
    );
    const callers = globSync("{packages,services}/*/src/**/*.ts", { cwd: REPOSITORY })
      .filter((file) => !file.includes(".test."))
      .flatMap((file) => [...read(file).matchAll(/bindScript\(\s*"([^"]+)"/g)]);
    expect(inOrder(callers.map(([, name]) => `lua/${name}.lua`))).toEqual(inOrder(scripts));
  });
});

describe("permits/consume", () => {
  let plans: Awaited<ReturnType<typeof startPlans>>;
  beforeAll(async () => void (plans = await startPlans()));
  afterAll(() => plans.stop());
  const { source, replies } = loadScript("permits/consume");

  it("gives each answer of its header", async () => {
    const { redis } = plans;
    const run = async () => {
      const called = [keys.plan(PLAN), keys.spent(PLAN), keys.waiting(SYMBOL), keys.streams.execute];
      called.push(
        keys.handedOver,
        keys.streams.result,
        keys.killSwitch,
        keys.disarm,
        keys.disarmOf("2026-01-01"),
      );
      called.push(keys.permit("p33", PLAN), keys.block("p33", PLAN));
      const args = [PLAN, "", "5000", "100", "60", "", "p33", "p33", "allow"];
      const packed = packCalls([{ keys: called, args }]);
      const [reply] = (await redis.eval(source, called.length, ...packed.keys, ...packed.args)) as string[][];
      return reply ?? [];
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
    // Lua would cut off an array at nil and make integers of floats: everything is text.
    expect(answers.flat().every((word) => typeof word === "string")).toBe(true);
    expect(answers.map((answer) => answer.length)).toEqual([1, 3, 7, 6]);
  });
});
