/** Headers are contracts: what they say is what the scripts take and answer, and what their callers name. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadScript } from "@quantum/lua";
import { bindScript } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAR_MS, GOVERNOR, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending) && !file.includes("node_modules"))
    .map((file) => `${folder}/${file}`);
}

const read = (file: string) => readFileSync(join(REPOSITORY, file), "utf8");

/** Files with a REPLY section are scripts; the others are parts of scripts. */
const SCRIPTS = filesBelow("lua", ".lua")
  .filter((file) => /^-- REPLY$/m.test(read(file)))
  .map((file) => file.replace(/^lua\/(.*)\.lua$/, "$1"));

const CALLERS = ["packages", "services"]
  .flatMap((folder) => filesBelow(folder, ".ts"))
  .filter((file) => !file.includes(".test."))
  .map((file) => ({ file, text: read(file) }));

describe.each(SCRIPTS)("lua/%s.lua", (name) => {
  const { replies, source } = loadScript(name);
  const body = source.replaceAll(/^--.*$/gm, "");

  it("answers the status words of its header, all of them and no others", () => {
    const answered = body.matchAll(/(?:return \{ |acknowledge\()'([A-Z_]+)'/g);
    const chosen = body.matchAll(/return \{ [^'}]+ and '([A-Z_]+)' or '([A-Z_]+)'/g);
    const words = [...answered, ...chosen].flatMap(([, ...found]) => found);
    expect(new Set(words)).toEqual(new Set(replies));
  });

  it("takes its time from Redis and nothing random", () => {
    expect(body).not.toMatch(/os\.|math\.random|io\./);
  });
});

describe("bindScript", () => {
  const declaration = {
    keys: ["plan", "spent", "waiting", "executes", "results", "kill_switch", "disarm", "disarm_today"],
    restKeys: "issuer",
    args: ["plan_id", "halt", "execute_ms", "grace_ms", "spent_sec", "quantity_issuer"],
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
    const bound = CALLERS.flatMap(({ text }) => [...text.matchAll(/bindScript\(\s*"([^"]+)"/g)]).map(
      ([, name]) => name,
    );
    expect(bound.toSorted((a = "", b = "") => a.localeCompare(b))).toEqual(
      SCRIPTS.toSorted((a, b) => a.localeCompare(b)),
    );
  });
});

describe("permits/consume", () => {
  let plans: Awaited<ReturnType<typeof startPlans>>;
  beforeAll(async () => void (plans = await startPlans()));
  afterAll(() => plans.stop());
  const { source, replies } = loadScript("permits/consume");

  it.each([
    ["KEYS", ["a"], []],
    ["ARGV", Array.from({ length: 10 }, () => "a"), ["plan"]],
  ])("refuses a call with too few %s before it reads", async (table, someKeys, someArgs) => {
    const call = plans.redis.eval(source, someKeys.length, ...someKeys, ...someArgs);
    await expect(call).rejects.toThrow(`ARITY permits/consume ${table}`);
  });

  it("gives each answer of its header", async () => {
    const { redis } = plans;
    const run = async () => {
      const names = [keys.plan(PLAN), keys.spent(PLAN), keys.waiting(SYMBOL), keys.streams.execute];
      names.push(keys.streams.result, keys.killSwitch, keys.disarm, keys.disarmOf("2026-01-01"));
      names.push(keys.permit("p33", PLAN), keys.block("p33", PLAN));
      const args = [PLAN, "", "5000", "100", "60", "p33", "p33", "allow"];
      return (await redis.eval(source, names.length, ...names, ...args)) as string[];
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
