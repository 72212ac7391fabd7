/**
 * Numbers and JSON as Python reads and writes them. Plan ids are hashes of such text and operators grep it, so one
 * digit of difference from the Python services is a different plan.
 */

const FRACTION_DIGITS = 6;
const FRACTION_SCALE = 10n ** BigInt(FRACTION_DIGITS);

/** Layout of an IEEE 754 double: 52 stored mantissa bits below an exponent whose bias turns them into an integer. */
const MANTISSA_BITS = 52n;
const MANTISSA_MASK = (1n << MANTISSA_BITS) - 1n;
const EXPONENT_MASK = 0x7ffn;
const INTEGER_EXPONENT_BIAS = 1075n;

/** repr() writes an exponent below and from these magnitudes on; JavaScript does so at 1e-6 and 1e21. */
const SMALLEST_PLAIN = 1e-4;
const SMALLEST_LARGE_EXPONENTIAL = 1e16;

/** What float() strips. It differs from `\s` and trim(): NEL is a blank, the byte order mark is none. */
const BLANKS = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*";
const DIGITS = "[0-9](?:_?[0-9])*";
const DECIMAL = `(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:e[+-]?${DIGITS})?`;
const PYTHON_FLOAT = new RegExp(`^${BLANKS}([+-]?)(?:(${DECIMAL})|(nan)|inf(?:inity)?)${BLANKS}$`, "i");

/**
 * Reads text as Python's `float()` does: surrounding blanks, underscores between digits, `nan`, `inf`, `infinity`.
 * Undefined for what Python refuses, and (stricter than Python) for digits outside ASCII.
 */
export function parsePythonFloat(text: string): number | undefined {
  const match = PYTHON_FLOAT.exec(text);
  if (match === null) return undefined;
  const [, sign, decimal, nan] = match;
  if (nan !== undefined) return Number.NaN;
  const magnitude = decimal === undefined ? Infinity : Number(decimal.replaceAll("_", ""));
  return sign === "-" ? -magnitude : magnitude;
}

/** `repr(float)`: the shortest digits that read back as the same double (`100.0`, `1e-05`, `1e+16`, `nan`, `-0.0`). */
export function formatPythonFloat(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  if (Object.is(n, -0)) return "-0.0";
  const magnitude = Math.abs(n);
  if (n === 0 || (magnitude >= SMALLEST_PLAIN && magnitude < SMALLEST_LARGE_EXPONENTIAL)) {
    return Number.isInteger(n) ? `${n}.0` : String(n);
  }
  const oneDigitExponent = /(?<=e[+-])(?=\d$)/;
  return n.toExponential().replace(oneDigitExponent, "0");
}

/**
 * `f"{n:.6f}"`: six decimals, half-even on the exact binary value. Not toFixed(6), which rounds ties away from
 * zero (0.0078125 would become 0.007813) and gives up at 1e21.
 */
export function formatFixed6(n: number): string {
  if (!Number.isFinite(n)) return formatPythonFloat(n);
  const sign = n < 0 || Object.is(n, -0) ? "-" : "";
  const { mantissa, exponent } = decompose(n);
  const scaled = mantissa * FRACTION_SCALE;
  const rounded = exponent >= 0n ? scaled << exponent : shiftRightHalfEven(scaled, -exponent);
  const digits = rounded.toString().padStart(FRACTION_DIGITS + 1, "0");
  return `${sign}${digits.slice(0, -FRACTION_DIGITS)}.${digits.slice(-FRACTION_DIGITS)}`;
}

/** |n| = mantissa · 2^exponent, exactly; n is finite. */
function decompose(n: number): { mantissa: bigint; exponent: bigint } {
  const view = new DataView(new ArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  view.setFloat64(0, n);
  const bits = view.getBigUint64(0);
  const stored = bits & MANTISSA_MASK;
  const biased = (bits >> MANTISSA_BITS) & EXPONENT_MASK;
  const isDenormal = biased === 0n;
  return isDenormal
    ? { mantissa: stored, exponent: 1n - INTEGER_EXPONENT_BIAS }
    : { mantissa: stored | (1n << MANTISSA_BITS), exponent: biased - INTEGER_EXPONENT_BIAS };
}

/** n / 2^bits to the nearest integer, ties to even; bits > 0. */
function shiftRightHalfEven(n: bigint, bits: bigint): bigint {
  const quotient = n >> bits;
  const remainder = n - (quotient << bits);
  const half = 1n << (bits - 1n);
  const roundsUp = remainder > half || (remainder === half && (quotient & 1n) === 1n);
  return roundsUp ? quotient + 1n : quotient;
}

/**
 * A number that Python holds as a float, whatever its value: 100 prints as `100.0`. Plain decimal text prints with all of
 * its digits where a double would lose some.
 */
export class PythonFloat {
  readonly value: number | string;

  constructor(value: number | string) {
    this.value = value;
  }
}

export type PythonJson =
  | null
  | boolean
  | number
  | string
  | PythonFloat
  | readonly PythonJson[]
  | { readonly [key: string]: PythonJson };

/**
 * `json.dumps(value)` with its defaults: `", "` and `": "`, ASCII only, and `NaN` and `Infinity`, which are not JSON.
 * A whole number prints as an int; wrap what Python holds as a float in {@link PythonFloat}.
 */
export function dumpPythonJson(value: PythonJson): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value).toString() : dumpFloat(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof PythonFloat) return dumpFloat(value.value);
  if (isArray(value)) return `[${value.map(dumpPythonJson).join(", ")}]`;
  const members = Object.entries(value).map(([key, member]) => `${quote(key)}: ${dumpPythonJson(member)}`);
  return `{${members.join(", ")}}`;
}

/** Array.isArray does not narrow a readonly array away. */
function isArray(value: PythonJson): value is readonly PythonJson[] {
  return Array.isArray(value);
}

/** Decimals of so many digits survive the double that readers make of them. */
const EXACT_DIGITS = 15;

function dumpFloat(value: number | string): string {
  const n = Number(value);
  if (typeof value === "string" && significantDigits(value) > EXACT_DIGITS)
    return value.includes(".") ? value : `${value}.0`;
  return Number.isFinite(n) ? formatPythonFloat(n) : String(n);
}

function significantDigits(decimal: string): number {
  const digits = decimal.replace(/^-?[0.]*/, "");
  return (digits.includes(".") ? digits.replace(".", "") : digits.replace(/0+$/, "")).length;
}

const ASCII = /^[ -~]*$/;

function quote(text: string): string {
  const json = JSON.stringify(text);
  if (ASCII.test(json)) return json;
  return json.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
