/** Streams from the message schemas, keys from the key builders. What a type cannot say is said here, for each of them. */
import { createKeys, type HashRecord, ruleOf } from "@quantum/contract";
import type { z } from "zod";
import { FIELDS, PROPOSAL_FIELDS, type StreamName } from "./wire-fields.ts";
import { KEY_NOTES, RECORDS, VALUES } from "./wire-keys.ts";
import { code, page, table } from "./markdown.ts";

const keys = createKeys();

export function renderWire(): string {
  return page(
    "The wire",
    "Names, types and formats are those of the Python services, which this pipeline replaces one at a time on the same Redis. What is marked *ours* the Python services ignore. Every reader is more tolerant than every writer: unknown fields are ignored, and `True`, `true` and `1` are the same.",
    'Writers emit Python\'s forms: floats as Python\'s `repr` (`100.0`, `1e-05`), JSON with `", "` and `": "`. Times named `_ms` are epoch milliseconds by Redis\'s clock. Braces in key names are placeholders.',
    "## Streams",
    "All values are text. A group starts at `0`. About 10,000 entries are kept, and never fewer than what some group has not acknowledged.",
    ...Object.entries(FIELDS).flatMap(([name, stream]) => [
      `### \`${keys.streams[name as StreamName]}\``,
      stream.about,
      fieldTable(stream.meanings, stream.schema),
    ]),
    "## Keys",
    table(
      ["key", "type", "TTL", "written by → read by", "holds"],
      KEY_NOTES.map(({ key, type, ttlSec, orElse, by, holds }) => [
        code(key),
        type,
        [duration(ttlSec), orElse ?? []].flat().join(" "),
        by,
        holds,
      ]),
    ),
    "Keys below `quantum:jobs:*` are what versions that used BullMQ have left: nothing reads them.",
    "### The proposal hash",
    fieldTable(PROPOSAL_FIELDS),
    ...RECORDS.flatMap(({ title, about, record }) => [`### ${title}`, about, recordTable(record)]),
    ...VALUES.flatMap(({ title, about, example }) => [
      `### ${title}`,
      about,
      `\`\`\`json\n${example}\n\`\`\``,
    ]),
    "## The plan id",
    "```\nfingerprint = symbol : harvest_action : kill_score with 6 decimals : new_sl_proposed : computed_at_utc\nplan_id     = first 16 hex digits of sha256(utf8(fingerprint))\n```",
    "The 6 decimals round half to even on the exact binary value; `new_sl_proposed` prints as Python's `repr`, `None` if it is missing. The client order id at the exchange is `qp-{plan_id}-{attempt_no}`.",
  );
}

function fieldTable(meanings: Readonly<Record<string, string>>, schema?: z.ZodObject): string {
  const unexplained = Object.keys(schema?.shape ?? {}).filter((name) => !(name in meanings));
  if (unexplained.length > 0) throw new Error(`fields without a meaning: ${unexplained.join()}`);
  if (schema === undefined) {
    return table(
      ["field", "meaning"],
      Object.entries(meanings).map(([name, meaning]) => [code(name), meaning]),
    );
  }
  return table(
    ["field", "type", "our readers", "meaning"],
    Object.entries(meanings).map(([name, meaning]) => {
      const field = schema.shape[name] as z.ZodType | undefined;
      if (field === undefined) return [code(name), "text", "pass over it", meaning];
      return [
        code(name),
        typeOf(field),
        field.safeParse(undefined).success ? "may lack it" : "require it",
        meaning,
      ];
    }),
  );
}

function recordTable({ fields }: HashRecord): string {
  return table(
    ["field", "type", "unit", "written by, when", "meaning"],
    Object.entries(fields).map(([name, { schema, unit, written, meaning }]) => [
      code(name),
      typeOf(schema),
      unit,
      written.map(([script, when]) => `${code(script)}: ${when}`).join("; "),
      meaning,
    ]),
  );
}

/** Nothing with a rule takes this. */
const NO_VALUE = "no value";

function typeOf(field: z.ZodType): string {
  const { success, data, error } = field.safeParse(NO_VALUE);
  if (success) return typeof data === "boolean" ? "`True` or `False`" : "text";
  return error.issues.map((issue) => ruleOf(issue, code)).join("; ");
}

const SEC_PER_HOUR = 3600;
const SEC_PER_DAY = 86_400;

function duration(ttl: number | string): string {
  if (typeof ttl === "string") return ttl;
  if (ttl % SEC_PER_DAY === 0) return `${ttl / SEC_PER_DAY} d`;
  return ttl % SEC_PER_HOUR === 0 ? `${ttl / SEC_PER_HOUR} h` : `${ttl} s`;
}
