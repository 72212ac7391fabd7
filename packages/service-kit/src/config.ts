/**
 * Configuration from the environment, through a schema whose keys are the variables' names. Reports all violations at
 * once, each with the variable, its value and the rule.
 */
import { SYMBOL, SYMBOL_RULE } from "@quantum/contract";
import { z } from "zod";

export interface ConfigSource<Schema extends z.ZodObject> {
  schema: Schema;
  /** Prefixes of our own variables: an unknown variable with one is a typo and stops the start. */
  ownPrefixes: readonly string[];
  /** Variables that only the Python service knew. They cause a warning. */
  retired?: readonly string[];
  /** Rules between variables. Each violation is one sentence. */
  relations?: (config: z.output<Schema>) => string[];
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly violations: readonly string[];

  constructor(violations: readonly string[]) {
    super(`invalid configuration:\n${violations.map((violation) => `  - ${violation}`).join("\n")}`);
    this.violations = violations;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * An empty variable counts as unset, because compose files pass unset variables that way.
 * @throws {@link ConfigError} naming every violation
 */
export function readConfig<Schema extends z.ZodObject>(
  source: ConfigSource<Schema>,
  environment: Environment,
): { config: z.output<Schema>; warnings: string[] } {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const known = new Set(Object.keys(source.schema.shape));
  const retired = new Set(source.retired);
  const violations = Object.keys(set)
    .filter((name) => !known.has(name) && !retired.has(name))
    .filter((name) => source.ownPrefixes.some((prefix) => name.startsWith(prefix)))
    .map((name) => `${name} is not a variable of this service${suggestion(name, known)}`);
  const parsed = source.schema.safeParse(set);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = issue.path.join(".");
      const value = set[name];
      violations.push(`${name}${value === undefined ? "" : `=${shown(name, value)}`}: ${issue.message}`);
    }
    throw new ConfigError(violations);
  }
  violations.push(...(source.relations?.(parsed.data) ?? []));
  if (violations.length > 0) throw new ConfigError(violations);
  const warnings = Object.keys(set)
    .filter((name) => retired.has(name))
    .map((name) => `${name} was known to the Python service only and is ignored`);
  return { config: parsed.data, warnings };
}

/** `--help`: every variable with its meaning and default. */
export function describeConfig({ schema }: { schema: z.ZodObject }): string {
  return Object.entries(schema.shape)
    .map(([name, type]) => `  ${name}\n      ${(type as z.ZodType).description ?? ""}`)
    .join("\n");
}

/** A URL may have a user and a password, whatever the variable is called. */
function shown(name: string, value: string): string {
  const isSecret = /SECRET|KEY$|PASSWORD|URL/.test(name) || /:\/\/[^/]*@/.test(value);
  return isSecret ? "(hidden)" : JSON.stringify(value);
}

/** The known name that differs by one or two letters. */
function suggestion(name: string, known: ReadonlySet<string>): string {
  const near = [...known].find((candidate) => distance(name, candidate) <= 2);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

// Types of variables. Each description ends in the default.

export const text = (meaning: string, fallback?: string) =>
  fallback === undefined
    ? z.string("is required").describe(`${meaning} (required)`)
    : z.string().default(fallback).describe(`${meaning} [${fallback}]`);

export const optionalText = (meaning: string) => z.string().optional().describe(meaning);

export function integer(meaning: string, fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .default(String(fallback))
    .transform((value, context) => {
      const number = Number(value);
      if (/^-?\d+$/.test(value.trim()) && number >= min && number <= max) return number;
      context.addIssue({ code: "custom", message: rule });
      return z.NEVER;
    })
    .describe(`${meaning} [${fallback}]`);
}

export function number(meaning: string, fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  const rule = `must be a number from ${min} to ${max}`;
  return z
    .string()
    .default(String(fallback))
    .transform((value, context) => {
      const parsed = value.trim() === "" ? Number.NaN : Number(value);
      if (parsed >= min && parsed <= max) return parsed;
      context.addIssue({ code: "custom", message: rule });
      return z.NEVER;
    })
    .describe(`${meaning} [${fallback}]`);
}

// A Map, because an object would also know `constructor`.
const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);

export function flag(meaning: string, fallback: boolean) {
  return z
    .string()
    .default(String(fallback))
    .transform((value, context) => {
      const parsed = FLAGS.get(value.trim().toLowerCase());
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: "must be true or false" });
      return z.NEVER;
    })
    .describe(`${meaning} [${fallback}]`);
}

/** Split on commas and trimmed. */
export function list(meaning: string, fallback: string, item = /^\S+$/, itemRule = "names without blanks") {
  return z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const items = value
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
      // Only a list that is empty by default may be empty.
      if ((items.length > 0 || fallback === "") && items.every((part) => item.test(part))) return items;
      context.addIssue({ code: "custom", message: `must be a comma-separated list of ${itemRule}` });
      return z.NEVER;
    })
    .describe(`${meaning} [${fallback}]`);
}

export const SYMBOLS_RULE = `symbols of ${SYMBOL_RULE}`;

export const symbols = (meaning: string, fallback: string) => list(meaning, fallback, SYMBOL, SYMBOLS_RULE);

export const issuerNames = (meaning: string, fallback: string) =>
  list(
    meaning,
    fallback,
    // quantum:permit:spent:* records spent permits, so `spent` cannot be an issuer's name.
    /^(?!spent$)[a-z][a-z0-9]*$/,
    'lower-case issuer names other than "spent"',
  );

export function choice<const Values extends readonly [string, ...string[]]>(
  meaning: string,
  values: Values,
  fallback: Values[number],
) {
  return z
    .enum(values, `must be one of ${values.join(", ")}`)
    .default(fallback as never)
    .describe(`${meaning}: ${values.join(", ")} [${fallback}]`);
}

/** Maps pino's and Python's level names to pino's. */
const LEVELS: Record<string, string> = {
  TRACE: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  WARNING: "warn",
  ERROR: "error",
  CRITICAL: "fatal",
  FATAL: "fatal",
};

export const logLevel = () =>
  z
    .string()
    .default("INFO")
    .transform((value, context) => {
      const level = LEVELS[value.trim().toUpperCase()];
      if (level !== undefined) return level;
      context.addIssue({ code: "custom", message: `must be one of ${Object.keys(LEVELS).join(", ")}` });
      return z.NEVER;
    })
    .describe("log level [INFO]");

export const port = (meaning: string, fallback: number) =>
  integer(`${meaning}; 0 picks a free one`, fallback, { max: 65_535 });

/** What issuers sign and the executor compares; all services of a pipeline have the same. */
export const account = () =>
  z
    .string()
    .default("main")
    .refine((name) => /^[\w.-]{1,64}$/.test(name), "must be a name of letters, digits, `.`, `_` and `-`")
    .describe("name of the account at the venue, which permits name; the same for all services [main]");

/** The exchange counts request weight for an IP address; processes behind the same one share its limit. */
export const egress = () =>
  z
    .string()
    .default("default")
    .refine((name) => /^[\w.-]{1,64}$/.test(name), "must be a name of letters, digits, `.`, `_` and `-`")
    .describe(
      "name of the IP address from which the exchange sees this host; the same for all services behind it [default]",
    );
