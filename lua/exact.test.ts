/** The arithmetic that scripts decide by, on a real Redis, against BigInt and Big. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { useRedis } from "@quantum/harness/vitest";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

const part = (name: string) =>
  readFileSync(join(import.meta.dirname, "shared", `${name}.lua`), "utf8").replaceAll(/^--@include.*$/gm, "");
const EXACT = part("exact");
const DECIMAL = EXACT + part("decimal");

const { redis } = await useRedis();

const run = (source: string, ...args: string[]) => redis.eval(source, 0, ...args);

/** Around the digits at which a double, or a limb, ends. */
const amount = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 60n }),
  fc.nat(1_000).map(BigInt),
  fc
    .record({ digits: fc.constantFrom(14, 15, 16, 30, 31, 45), off: fc.integer({ min: -3, max: 3 }) })
    .map(({ digits, off }) => 10n ** BigInt(digits) + BigInt(off)),
  fc.integer({ min: -3, max: 3 }).map((off) => 2n ** 53n + BigInt(off)),
);

describe("whole numbers as text", () => {
  it("are added, subtracted down to 0 and compared exactly, whatever their size", async () => {
    const source = `${EXACT}
      local replies = {}
      for i = 1, #ARGV, 2 do
        local a, b = whole(ARGV[i]), whole(ARGV[i + 1])
        replies[#replies + 1] = table.concat({ plus(a, b), minus(a, b), tostring(more(a, b)) }, ' ')
      end
      return replies`;
    const pairs = fc.sample(fc.tuple(amount, amount), { numRuns: 3_000, seed: 53 });
    const replies = await run(source, ...pairs.flat().map(String));
    expect(replies).toEqual(pairs.map(([a, b]) => `${a + b} ${a > b ? a - b : 0n} ${a > b}`));
  });

  it("are read in every form in which amounts have been kept", async () => {
    const read = (lua: string) => run(`${EXACT} return whole(${lua})`);
    expect(await read("nil")).toBe("0");
    expect(await read("false")).toBe("0");
    expect(await read("'007'")).toBe("7");
    expect(await read("'000'")).toBe("0");
    expect(await read("'-5'")).toBe("0");
    expect(await read("9007199254740991")).toBe("9007199254740991");
    for (const other of ["'much'", "'1.5'", "''", "'1e5'"])
      await expect(read(other)).rejects.toThrow("not an amount");
  });
});

describe("decimals as text", () => {
  it("are compared exactly", async () => {
    const decimal = fc
      .tuple(amount, fc.nat(20))
      .map(([digits, places]) => Big(digits.toString()).times(Big(10).pow(-places)).toFixed());
    const source = `${DECIMAL}
      local replies = {}
      for i = 1, #ARGV, 2 do replies[#replies + 1] = tostring(above(ARGV[i], ARGV[i + 1])) end
      return replies`;
    const pairs = fc.sample(fc.tuple(decimal, decimal), { numRuns: 1_000, seed: 54 });
    expect(await run(source, ...pairs.flat())).toEqual(pairs.map(([a, b]) => String(Big(a).gt(b))));
  });

  const written = (json: string, name = "qty") =>
    run(`${DECIMAL} return written(ARGV[1], ARGV[2], cjson.decode(ARGV[1])[ARGV[2]]) or 'none'`, json, name);

  it.each([
    ["0.008", "0.008"],
    ["100.0", "100"],
    ["-0.0110", "-0.011"],
    ["1e-05", "0.00001"],
    ["1.5e+16", "15000000000000000"],
    ["1.25E1", "12.5"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["123456789012345678901.12345678", "123456789012345678901.12345678"],
    ["90071992547409931.0", "90071992547409931"],
    ["0.123456789012345678901234", "0.1234567890123456789"],
    ["0.0", "none"],
    ["1e-21", "none"],
    ["null", "none"],
    ['"1"', "none"],
  ])("are %s read from JSON as %s", async (literal, text) => {
    expect(await written(`{"other": 1, "qty": ${literal}, "more": {"a": 2}}`)).toBe(text);
  });

  it("are not taken from a namesake elsewhere in the JSON", async () => {
    expect(await written('{"qty": 2, "context": {"qty": 3}}')).toBe("2");
    expect(await written('{"note": "\\"qty\\": 9", "qty": 2}')).toBe("2");
    expect(await written(String.raw`{"\u0071ty": 0.29}`)).toBe("0.29");
  });
});
