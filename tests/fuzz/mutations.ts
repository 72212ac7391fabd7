/** Damage, at the level of fields and of bytes, independent of what it is done to: `apply(damage, fields)`. */
import fc from "fast-check";

/** Of a stream entry or a hash, as bytes: what is no UTF-8 must come through too. */
export type Field = readonly [name: Buffer, value: Buffer];

const MOST_EDITS = 3;

/** Values that have fooled somebody before. */
const NASTY = [
  ...[
    "",
    " ",
    "\t1",
    "0",
    "-0",
    "-1",
    "1",
    "00",
    "1.",
    ".5",
    "1_000",
    "1e-7",
    "1e999",
    "-1e999",
    "0x10",
    "１",
  ],
  ...["nan", "NaN", "inf", "-Infinity", "None", "null", "true", "True", "false", "undefined"],
  ...["9007199254740993", "999999999999999", "1000000000000000000000", "0.1234567890123456789", "-5.0"],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "[]",
    "{}",
    '"',
    "[[]]",
    '[{"step": 1}]',
    '{"__proto__": {"a": 1}}',
  ],
  ...[
    "BTCUSDT",
    "ETHUSDT",
    "btcusdt",
    "币安人生USDT",
    "ＢＴＣＵＳＤＴ",
    "ВТСUSDT",
    "E\u0301USDT",
    "\u3164\u3164USDT",
    "BTC\u202eUSDT",
    "BTC USDT",
    "*",
    "0-0",
    "-",
    "+",
    "$",
    ">",
    "\u0000",
    "\r\n",
    "é",
    "😀",
  ],
  ...["EXECUTE", "BLOCKED", "PARTIAL_25", "FULL_CLOSE_PROPOSED", "UPDATE_SL", "A".repeat(10_000)],
].map((text) => Buffer.from(text));

const edit = fc.record({
  kind: fc.constantFrom("flip", "remove", "insert", "cut", "repeat"),
  at: fc.nat(),
  byte: fc.nat(255),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** One to three edits of single bytes or tails. */
export const byteDamage = fc.array(edit, { minLength: 1, maxLength: MOST_EDITS });

export function damageBytes(edits: readonly Edit[], bytes: Buffer): Buffer {
  return edits.reduce(edited, bytes);
}

function edited(bytes: Buffer, { kind, at, byte }: Edit): Buffer {
  const index = bytes.length === 0 ? 0 : at % bytes.length;
  const [before, after] = [bytes.subarray(0, index), bytes.subarray(index)];
  switch (kind) {
    case "flip":
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (byte % 8))), after.subarray(1)]);
    case "remove":
      return Buffer.concat([before, after.subarray(1)]);
    case "insert":
      return Buffer.concat([before, Buffer.of(byte), after]);
    case "repeat":
      return Buffer.concat([before, after, after]);
    default:
      return before;
  }
}

const fieldEdit = fc.oneof(
  fc.record({ kind: fc.constantFrom("drop", "swap", "double"), field: fc.nat(), other: fc.nat() }),
  fc.record({ kind: fc.constant("replace"), field: fc.nat(), value: fc.constantFrom(...NASTY) }),
  fc.record({ kind: fc.constantFrom("name", "value"), field: fc.nat(), edits: byteDamage }),
);
type FieldEdit = typeof fieldEdit extends fc.Arbitrary<infer T> ? T : never;

/** Mostly one to three edits of fields; sometimes none, so that what is right is among what is wrong. */
export const damage = fc.array(fieldEdit, { maxLength: MOST_EDITS });
export type Damage = readonly FieldEdit[];

export function applyDamage(edits: Damage, fields: Readonly<Record<string, string>>): Field[] {
  const start = Object.entries(fields).map(([name, value]): Field => [Buffer.from(name), Buffer.from(value)]);
  return edits.reduce(withEdit, start);
}

function withEdit(fields: Field[], change: FieldEdit): Field[] {
  const index = fields.length === 0 ? 0 : change.field % fields.length;
  const field = fields[index];
  if (field === undefined) return fields;
  const [name, value] = field;
  if ("value" in change) return fields.with(index, [name, change.value]);
  if ("edits" in change) {
    const isName = change.kind === "name";
    const damaged = damageBytes(change.edits, isName ? name : value);
    return fields.with(index, isName ? [damaged, value] : [name, damaged]);
  }
  const otherIndex = change.other % fields.length;
  const [otherName, otherValue] = fields[otherIndex] ?? field;
  if (change.kind === "drop") return fields.toSpliced(index, 1);
  if (change.kind === "double") return [...fields, [name, otherValue]];
  return fields.with(index, [name, otherValue]).with(otherIndex, [otherName, value]);
}
