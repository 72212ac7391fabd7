/** What every script keeps to, checked on its text and by a real Redis. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { useRedis } from "@quantum/harness/vitest";
import { describe, expect, it } from "vitest";
import { loadScript, packCalls } from "./index.ts";

const files = globSync("**/*.lua", { cwd: import.meta.dirname }).toSorted();
const textOf = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8");
const scripts = files
  .filter((file) => /^-- (KEYS|ARGV|REPLY)$/m.test(textOf(file)))
  .map((file) => file.slice(0, -4));
const parts = files.filter((file) => !scripts.includes(file.slice(0, -4)));

/** Without comments, so that what they say is not taken for code. */
const codeOf = (text: string) => text.replaceAll(/--.*$/gm, "");

const { redis } = await useRedis();

describe.each(scripts)("lua/%s.lua", (name) => {
  const script = loadScript(name);
  const code = codeOf(script.lone.source);
  const own = codeOf(textOf(`${name}.lua`));

  it.each(["lone", "batch"] as const)(
    "is accepted by Redis, under the sha that the loader computes: %s",
    async (form) => {
      expect(await redis.script("LOAD", script[form].source)).toBe(script[form].sha);
    },
  );

  it("refuses a call with other arguments than its header's", async () => {
    const fixed = script.keys.filter((key) => !key.startsWith("...")).length;
    const keys = script.keys.map((_, index) => `key:${index}`);
    const packed = packCalls([
      { keys: [], args: [] },
      { keys, args: [] },
    ]);
    const { lone, batch } = script;
    const replies = await redis.eval(batch.source, keys.length, ...packed.keys, ...packed.args);
    const error = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) });
    const [noKeys, noArgs] = [`ARITY ${name} KEYS wants ${fixed}, got 0`, `ARITY ${name} ARGV wants`];
    expect(replies).toEqual([error(noKeys), error(noArgs)]);
    await expect(redis.eval(lone.source, 0)).rejects.toThrow(noKeys);
    await expect(redis.eval(lone.source, keys.length, ...keys)).rejects.toThrow(noArgs);
    expect(await redis.dbsize()).toBe(0);
  });

  const isChecked = (key: string) => new RegExp(`^-- {3}${key} +[A-Z]+!`, "m").test(textOf(`${name}.lua`));
  it.each(script.keys.filter(isChecked))("writes nothing while %s is of the wrong type", async (key) => {
    const keys = script.keys.map((_, index) => `key:${index}`);
    const args = script.args.map(() => "");
    const wrong = keys[script.keys.indexOf(key)] ?? "";
    await redis.set(wrong, "a string");
    const packed = packCalls([{ keys, args }]);
    const { lone, batch } = script;
    const replies = await redis.eval(batch.source, keys.length, ...packed.keys, ...packed.args);
    expect(replies).toEqual([
      expect.objectContaining({ message: expect.stringContaining("WRONGTYPE") as string }),
    ]);
    await expect(redis.eval(lone.source, keys.length, ...keys, ...args)).rejects.toThrow("WRONGTYPE");
    expect(await redis.dbsize()).toBe(1);
    await redis.del(wrong);
  });

  it("uses every name of its header (a number may have lost its unit)", () => {
    const unused = [...script.keys, ...script.args].filter((word) => {
      const local = word.replace(/_(ms|sec)$/, "(_$1)?");
      return !word.startsWith("...") && !new RegExp(`\\b${local}\\b`).test(own);
    });
    expect(unused).toEqual([]);
  });

  it("answers exactly the status words of its header", () => {
    const answered = [...own.matchAll(/(?:return \{|return acknowledge\() ?'([A-Z_]+)'/g)].map(
      ([, word]) => word,
    );
    expect(new Set(answered)).toEqual(new Set(script.replies));
  });

  it("touches keys through KEYS alone", () => {
    // XINFO, XGROUP and MEMORY name a subcommand before the key, INFO takes none.
    const literal = /redis\.p?call\(\s*['"](?!XINFO|XGROUP|MEMORY|INFO)\w+['"]\s*,\s*(?:\w+\s*\.\.\s*)?['"]/g;
    expect(code.match(literal)).toBeNull();
    expect(code).not.toContain("quantum:");
  });

  it("decides by Redis's clock alone, and draws no lots", () => {
    expect(code).not.toMatch(/os\.(time|clock|date)|math\.random/);
    expect(code.match(/'TIME'/g) ?? []).toHaveLength(code.includes("local function now_ms()") ? 1 : 0);
  });

  it("defines every part once, and nothing that it does not use: each call would pay for it", () => {
    const included = [...code.matchAll(/^local function (\w+)/gm)].map(([, part = ""]) => part);
    expect(new Set(included).size).toBe(included.length);
    expect(included.filter((part) => code.match(new RegExp(`\\b${part}\\b`, "g"))?.length === 1)).toEqual([]);
  });
});

describe("the parts that scripts include", () => {
  it("are each included by some script, and nothing is included in a way that the loader overlooks", () => {
    const lines = files
      .flatMap((file) => textOf(file).split("\n"))
      .filter((line) => line.includes("@include"));
    const included = lines.map((line) => /^--@include (\S+)$/.exec(line)?.[1]);
    expect(included).not.toContain(undefined);
    expect(new Set(included)).toEqual(new Set(parts));
  });

  it("consist of local definitions, which the loader can tell apart", () => {
    const lines = parts.flatMap((file) => codeOf(textOf(file)).split("\n"));
    expect(lines.filter((line) => !/^(local |  |end\b|\}|$)/.test(line))).toEqual([]);
  });

  it("ask for the time in one place", () => {
    expect(files.filter((file) => codeOf(textOf(file)).includes("'TIME'"))).toEqual(["shared/now.lua"]);
  });
});

it("finds the scripts", () => {
  expect(scripts).toEqual(
    expect.arrayContaining([
      "ledger/store",
      "orders/claim",
      "permits/consume",
      "plans/open",
      "streams/dead_letter",
    ]),
  );
});
