/** The formats of the wire's values, all of them text: each with the rule that an error names. */
import { z } from "zod";
import { parsePythonFloat } from "./python.ts";

export const planId = z.string().regex(/^[0-9a-f]{16}$/, "16 lower-case hex digits");
/**
 * Letters of any script, digits and `_`. It is compared as it is written: neither case nor Unicode form is changed, because
 * a symbol is one only if the venue lists the same bytes. A letter that cannot be seen, such as a Hangul filler, is none.
 */
export const SYMBOL = /^[[\p{L}0-9_]--\p{Default_Ignorable_Code_Point}]{2,32}$/v;
export const SYMBOL_RULE = "2 to 32 letters, digits and `_`";
export const symbol = z.string().regex(SYMBOL, SYMBOL_RULE);
export const float = z.string().transform((text, context) => {
  const value = parsePythonFloat(text);
  if (value === undefined) {
    context.addIssue({ code: "custom", message: `not a number: ${JSON.stringify(text)}` });
    return z.NEVER;
  }
  return value;
});
export const flag = z.string().transform((text) => text === "True" || text === "true" || text === "1");
export const integer = z
  .string()
  .regex(/^\d{1,15}$/, "a whole number")
  .transform(Number);

/** No double has more digits on either side of its point. Exact arithmetic on a million digits would never end. */
const DIGITS_MAX = 400;
const UNSIGNED = `\\d{1,${DIGITS_MAX}}(\\.\\d{1,${DIGITS_MAX}})?`;

export const decimal = z.string().regex(new RegExp(`^-?${UNSIGNED}$`), {
  error: "a decimal without exponent",
  abort: true,
});
export const quantity = z.string().regex(new RegExp(`^${UNSIGNED}$`), {
  error: "a quantity without sign and exponent",
  abort: true,
});

export const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: `not JSON: ${JSON.stringify(text.slice(0, 80))}` });
        return z.NEVER;
      }
    })
    .pipe(schema);

/** Of an order. */
export const side = z.enum(["BUY", "SELL"]);
export const entryId = z.string().regex(/^\d+-\d+$/, "a stream entry id");
export const text = z.string();
/** A number as Python's services may have written it, kept as text: it may be more exact than a double. */
export const numberText = z.string().refine((value) => Number.isFinite(parsePythonFloat(value)), {
  error: "a number as Python's `float()` reads it",
  abort: true,
});
/** A value that may be empty. Errors show its rule with that of the schema. */
export const orEmpty = <T extends z.ZodType>(schema: T) => z.union([schema, z.literal("")]);
/** `1` or `0`. */
export const bit = z.enum(["0", "1"]).transform((value) => value === "1");

/** The rule that a value broke, in words. */
export function ruleOf(issue: z.core.$ZodIssue, shown: (value: string) => string = JSON.stringify): string {
  if (issue.code === "invalid_union") {
    const rules = issue.errors.flat().map((each) => ruleOf(each, shown));
    return [...new Set(rules)].join(", or ");
  }
  if (issue.code === "invalid_value")
    return issue.values.map((value) => (value === "" ? "empty" : shown(String(value)))).join(", ");
  if (issue.message.startsWith("not JSON")) return "JSON";
  if (issue.message.startsWith("not a number")) return "a number as Python's `float()` reads it";
  return issue.message;
}
