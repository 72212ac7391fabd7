/** Redis hashes with a schema: readers parse by one table of fields, and the wire's document is generated from it. */
import type { z } from "zod";
import { ruleOf } from "./formats.ts";

export interface Field<Value = unknown> {
  schema: z.ZodType<Value>;
  /** "" for text and plain numbers. */
  unit: "" | "ms" | "s" | "%" | "coins" | "dollars";
  /** The scripts that write it, each with when it does. Empty if only earlier versions did. */
  written: readonly (readonly [script: string, when: string])[];
  meaning: string;
}

/** A name that begins with `{issuer}` stands for one field per issuer. */
export type Fields = Readonly<Record<string, Field>>;

export interface HashRecord<Of extends Fields = Fields> {
  fields: Of;
  /** The fields that each hash has from its first write on. */
  always: readonly string[];
}

type Hash = Readonly<Record<string, string>>;
type Spelled<Name> = Name extends `{issuer}${infer Rest}` ? `${string}${Rest}` : Name;
type ValueOf<One> = One extends Field<infer Value> ? Value : never;

/** Its fields as text, under the names that the schema has. */
export type Texts<Of extends HashRecord> = {
  readonly [Name in keyof Of["fields"] as Spelled<Name>]?: string | undefined;
};

/** The values of some of its fields, `Needed` and others. */
export type Values<Of extends HashRecord, Needed extends string, Optional extends string = never> = {
  readonly [Name in Needed]: ValueOf<Of["fields"][Name]>;
} & {
  readonly [Name in Optional]?: ValueOf<Of["fields"][Name]> | undefined;
};

export type NameOf<Of extends HashRecord> = keyof Of["fields"] & string;

/** A hash that does not match its schema. Names key, field, value and rule. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

/**
 * Reads the named fields and ignores all others, whatever they hold.
 * @throws RecordError if one is malformed, or a needed one is missing
 */
export function parseRecord<
  const Of extends HashRecord,
  Needed extends NameOf<Of>,
  Optional extends NameOf<Of> = never,
>(
  { fields }: Of,
  key: string,
  hash: Hash,
  needed: readonly Needed[],
  optional: readonly Optional[] = [],
): Values<Of, Needed, Optional> {
  const values: Record<string, unknown> = {};
  for (const name of [...needed, ...optional]) {
    const field = fields[name] as Field;
    const text = hash[name];
    if (text === undefined && !(needed as readonly string[]).includes(name)) continue;
    const { success, data, error } = field.schema.safeParse(text);
    if (!success) throw new RecordError(`${key}: ${problemOf(name, text, error)}`);
    values[name] = data;
  }
  return values as Values<Of, Needed, Optional>;
}

/** For a reader that treats a malformed hash as absent. */
export function parseRecordOrNone<
  const Of extends HashRecord,
  Needed extends NameOf<Of>,
  Optional extends NameOf<Of> = never,
>(
  record: Of,
  hash: Hash,
  needed: readonly Needed[],
  optional: readonly Optional[] = [],
): Values<Of, Needed, Optional> | undefined {
  try {
    return parseRecord(record, "", hash, needed, optional);
  } catch (error) {
    if (error instanceof RecordError) return undefined;
    throw error;
  }
}

/** What HMGET has answered, as the hash of those fields that are there. */
export function presentFields(names: readonly string[], values: readonly (string | null)[]): Hash {
  return Object.fromEntries(
    names.flatMap((name, at) => {
      const value = values[at];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

/**
 * For a reader that takes what it can: the valid fields, and a problem in words for each invalid one.
 * @param names fields to read; all if absent
 */
export function readableFields<const Of extends HashRecord>(
  { fields }: Of,
  hash: Hash,
  names: readonly string[] = Object.keys(hash),
): { fields: Texts<Of>; problems: string[] } {
  const texts: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of names) {
    const text = hash[name];
    if (text === undefined) continue;
    const field = fieldOf(fields, name);
    // Written by a later version, or by another program.
    if (field === undefined) continue;
    const { success, error } = field.schema.safeParse(text);
    if (success) texts[name] = text;
    else problems.push(problemOf(name, text, error));
  }
  return { fields: texts, problems };
}

/** The schema's name of a hash's field: `governor_verdict` is `{issuer}_verdict`. */
export function schemaNameOf(fields: Fields, name: string): string | undefined {
  return [name, name.replace(/^[a-z0-9]+(?=_)/, "{issuer}")].find((each) => Object.hasOwn(fields, each));
}

function fieldOf(fields: Fields, name: string): Field | undefined {
  return fields[schemaNameOf(fields, name) ?? ""];
}

/** The beginning of a longer value is enough to recognise it. */
const VALUE_MAX_CHARS = 80;

function problemOf(name: string, text: string | undefined, error: z.ZodError | undefined): string {
  if (text === undefined) return `${name} is missing`;
  const rules = error?.issues.map((issue) => ruleOf(issue)) ?? [];
  return `${name} is ${JSON.stringify(text.slice(0, VALUE_MAX_CHARS))}, and must be ${rules.join("; ")}`;
}
