import { spawnSync } from "node:child_process";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dumpPythonJson,
  formatFixed6,
  formatPythonFloat,
  parsePythonFloat,
  PythonFloat,
  type PythonJson,
} from "./python.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
/** Doubles of everyday size, most of them ties or short of one at the sixth decimal. */
const nearTie = fc
  .tuple(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), fc.constantFrom(64, 128, 256, 1e6, 2e6, 1e7))
  .map(([numerator, denominator]) => numerator / denominator);
const anyFinite = fc.oneof(finite, nearTie);

describe("parsePythonFloat", () => {
  it.each([
    ["100.2", 100.2],
    ["1.", 1],
    [".5", 0.5],
    ["+3", 3],
    ["1E5", 1e5],
    ["007", 7],
    [" 1.5 ", 1.5],
    ["\t\r\n\v\f1\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000", 1],
    ["1_000", 1000],
    ["1_0.0_1e1_0", 100100000000],
    ["-0.0", -0],
    ["5e-324", 5e-324],
    ["1e400", Infinity],
    ["-1e-400", -0],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["+iNF", Infinity],
    ["nan", NaN],
    ["-NaN", NaN],
  ])("reads %j as %d", (text, value) => {
    expect(parsePythonFloat(text)).toBe(value);
  });

  it.each([
    ["", " ", ".", "+", "e5", "1e", "1e+", "1.5.2", "abc", "None", "true", "1,5"],
    ["_1", "1_", "1__0", "1_.5", "1._5", "1_e5", "1e_5", "+_1", "in_f"],
    ["0x10", "0b1", "0o7", "1n", "- 5", "1 2", "nan(1)", "infinit", "\u0131nf"],
    ["1\0", "1\ufeff", "\u001c1", "\ud800", "\u0661", "\uff11"],
  ])("refuses %j and the rest of its kind", (...texts) => {
    expect(texts.filter((text) => parsePythonFloat(text) !== undefined)).toEqual([]);
  });

  it("refuses a long run of digits with a bad end without backtracking through it", () => {
    const million = 1_000_000;
    expect(parsePythonFloat(`${"1".repeat(million)}x`)).toBeUndefined();
  });

  it("sees through underscores between digits and blanks around, and through nothing else", () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(digits, fc.constantFrom("", " ", "\u3000", "\u0085\n"), (all, blank) => {
        const plain = `${all.join("")}.${all.join("")}`;
        const underscored = `${blank}${all.join("_")}.${all.join("_")}${blank}`;
        expect(parsePythonFloat(underscored)).toBe(Number(plain));
        expect(parsePythonFloat(underscored.replace("_", "__"))).toBeUndefined();
        expect(parsePythonFloat(underscored.replace(".", "_."))).toBeUndefined();
      }),
    );
  });
});

describe("formatPythonFloat", () => {
  it.each([
    [100, "100.0"],
    [0, "0.0"],
    [-0, "-0.0"],
    [0.1 + 0.2, "0.30000000000000004"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [0.00000025, "2.5e-07"],
    [-1.5e-10, "-1.5e-10"],
    [9999999999999998, "9999999999999998.0"],
    [1e16, "1e+16"],
    [12345678901234567000, "1.2345678901234567e+19"],
    [1e100, "1e+100"],
    [5e-324, "5e-324"],
    [NaN, "nan"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ])("writes %d as %s", (n, text) => {
    expect(formatPythonFloat(n)).toBe(text);
  });

  it("reads back as the same double, and no shorter text does", () => {
    fc.assert(
      fc.property(anyFinite, (n) => {
        const text = formatPythonFloat(n);
        expect(parsePythonFloat(text)).toBe(n);
        const significant = new Big(text).c.length;
        const shorter = significant > 1 ? Number(n.toPrecision(significant - 1)) : undefined;
        expect(shorter).not.toBe(n);
      }),
    );
  });

  it("writes an exponent exactly below 1e-4 and from 1e16 on, with at least two digits", () => {
    fc.assert(
      fc.property(anyFinite, (n) => {
        const decimalExponent = n === 0 ? 0 : new Big(n).e;
        const exponential = decimalExponent < -4 || decimalExponent >= 16;
        expect(formatPythonFloat(n)).toMatch(
          exponential ? /^-?\d(\.\d+)?e[+-]\d{2,3}$/ : /^-?\d{1,16}\.\d+$/,
        );
      }),
    );
  });
});

describe("formatFixed6", () => {
  it.each([
    [0.0078125, "0.007812"],
    [0.0234375, "0.023438"],
    [0.0000005, "0.000000"],
    [0.9999995, "1.000000"],
    [0.1234565, "0.123456"],
    [0.758285465877316, "0.758285"],
    [-0, "-0.000000"],
    [-1e-7, "-0.000000"],
    [-2.5, "-2.500000"],
    [5e-324, "0.000000"],
    [2 ** 53, "9007199254740992.000000"],
    [1e22, "10000000000000000000000.000000"],
    [NaN, "nan"],
    [-Infinity, "-inf"],
  ])("writes %d as %s", (n, text) => {
    expect(formatFixed6(n)).toBe(text);
  });

  it("writes 1e300 with every digit of its binary value", () => {
    expect(formatFixed6(1e300)).toBe(`${BigInt(1e300)}.000000`);
  });

  it("is the exact decimal expansion, rounded half-even", () => {
    fc.assert(
      fc.property(anyFinite, (n) => {
        const rounded = exactDecimal(Math.abs(n)).round(6, Big.roundHalfEven).toFixed(6);
        expect(formatFixed6(n)).toBe(n < 0 || Object.is(n, -0) ? `-${rounded}` : rounded);
      }),
    );
  });

  it("differs from toFixed(6) at ties alone, the odd multiples of 1/128", () => {
    fc.assert(
      fc.property(nearTie, (n) => {
        const isTie = Math.abs((n * 128) % 2) === 1;
        fc.pre(!isTie && !Object.is(n, -0));
        expect(formatFixed6(n)).toBe(n.toFixed(6));
      }),
    );
  });
});

/** Every decimal digit of a double: doubled until whole (exact in binary), then times 5^k · 10^-k (exact in decimal). */
function exactDecimal(n: number): Big {
  let whole = n;
  let doublings = 0;
  while (!Number.isInteger(whole)) {
    whole *= 2;
    doublings += 1;
  }
  return new Big(BigInt(whole).toString()).times(new Big(5).pow(doublings)).times(`1e-${doublings}`);
}

const json = fc.letrec<{ value: PythonJson }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    finite.map((n) => new PythonFloat(n)),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

describe("dumpPythonJson", () => {
  it("writes a permit as the Python issuers do", () => {
    const permit = { allow: true, safe_qty: new PythonFloat(100), count: 100, reason: "ok", context: null };
    expect(dumpPythonJson(permit)).toBe(
      '{"allow": true, "safe_qty": 100.0, "count": 100, "reason": "ok", "context": null}',
    );
  });

  it.each<[PythonJson, string]>([
    [[], "[]"],
    [{}, "{}"],
    [[[1, 0.5], {}], "[[1, 0.5], {}]"],
    [1e21, "1000000000000000000000"],
    [new PythonFloat(1e16), "1e+16"],
    [new PythonFloat(-0), "-0.0"],
    [[NaN, new PythonFloat(-Infinity)], "[NaN, -Infinity]"],
    ['a"b\\/\b\f\n\r\t', String.raw`"a\"b\\/\b\f\n\r\t"`],
    ["\0\u007f\u00e9\u2028\u{1f600}\ud800", String.raw`"\u0000\u007f\u00e9\u2028\ud83d\ude00\ud800"`],
  ])("writes %j as %s", (value, text) => {
    expect(dumpPythonJson(value)).toBe(text);
  });

  it.each([
    ["0.008", "0.008"],
    ["100", "100.0"],
    ["0.00001", "1e-05"],
    ["-12345678901234.5", "-12345678901234.5"],
    ["100000000000000000000", "1e+20"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["123456789012345678", "123456789012345678.0"],
    ["-123456789.12345678", "-123456789.12345678"],
  ])("writes the decimal %s as %s: as a float, or with all digits that one would lose", (text, json) => {
    expect(dumpPythonJson(new PythonFloat(text))).toBe(json);
  });

  it("is ASCII, and reads back as the same value", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = dumpPythonJson(value);
        expect(text).toMatch(/^[ -~]*$/);
        expect(JSON.parse(text)).toEqual(unwrap(value));
      }),
    );
  });
});

function unwrap(value: PythonJson): unknown {
  if (value instanceof PythonFloat) return value.value;
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unwrap(member)]));
}

const PYTHON = `
import json, struct, sys
def read(text):
    try: return struct.pack(">d", float(text)).hex()
    except ValueError: return None
def double(bits): return struct.unpack(">d", bytes.fromhex(bits))[0]
asked = json.load(sys.stdin.buffer)
json.dump({
    "formatted": [[repr(double(bits)), f"{double(bits):.6f}"] for bits in asked["doubles"]],
    "read": [read(text) for text in asked["texts"]],
    "dumped": [json.dumps(json.loads(text)) for text in asked["dumps"]],
}, sys.stdout)
`;

interface PythonAnswers {
  formatted: [string, string][];
  read: (string | null)[];
  dumped: string[];
}

describe("against python3 itself", () => {
  const hasPython = spawnSync("python3", ["--version"]).status === 0;

  it("formats, reads and dumps the same", ({ skip }) => {
    skip(!hasPython, "python3 is not on the PATH");
    const samples = 4000;
    const doubles = fc.sample(fc.oneof(fc.double(), nearTie), samples);
    const numberLike = fc.string({
      unit: fc.constantFrom(..."0123456789__..eE+- \u3000\u0085\ufeff\u001c".split("")),
      maxLength: 8,
    });
    const texts = fc.sample(
      fc.oneof(numberLike, finite.map(String), fc.constantFrom("nan", "-inf", "+Infinity", "infin", "0x1")),
      samples,
    );
    const dumps = fc.sample(json, samples / 10).map(dumpPythonJson);

    const asked = JSON.stringify({ doubles: doubles.map(toBits), texts, dumps });
    const { stdout, stderr } = spawnSync("python3", ["-c", PYTHON], {
      input: asked,
      encoding: "utf8",
      maxBuffer: Infinity,
    });
    expect(stderr).toBe("");
    const answers = JSON.parse(stdout) as PythonAnswers;

    expect(doubles.map((n) => [formatPythonFloat(n), formatFixed6(n)])).toEqual(answers.formatted);
    const ours = texts.map((text) => parsePythonFloat(text) ?? null);
    const theirs = answers.read.map((bits) => (bits === null ? null : fromBits(bits)));
    expect(zip(texts, ours)).toEqual(zip(texts, theirs));
    expect(dumps).toEqual(answers.dumped);
  });
});

function zip<A, B>(left: A[], right: B[]): [A, B | undefined][] {
  return left.map((value, index) => [value, right[index]]);
}

function toBits(n: number): string {
  const buffer = Buffer.alloc(Float64Array.BYTES_PER_ELEMENT);
  buffer.writeDoubleBE(n);
  return buffer.toString("hex");
}

function fromBits(bits: string): number {
  return Buffer.from(bits, "hex").readDoubleBE();
}
