/** `wire.template.md` with what follows from the code: streams from the message schemas, keys from the key builders. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createKeys, type HashRecord, partitionOf, ruleOf, slotOf, waitLine } from "@quantum/contract";
import { SERVICES } from "@quantum/topology";
import type { z } from "zod";
import { code, table } from "./markdown.ts";
import { FIELDS, PROPOSAL_FIELDS, type StreamName } from "./wire-fields.ts";
import { KEY_NOTES } from "./wire-keys.ts";
import { RECORDS, VALUES } from "./wire-records.ts";

const keys = createKeys();

const PARTITION_COUNTS = [2, 3, 6, 12, 64];
const PARTITION_SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "1000PEPEUSDT", "币安人生USDT"];
const TAGGED_PARTITIONS = [0, 1, 2, 3, 4, 5];

export const TEMPLATE_FILE = join(import.meta.dirname, "wire.template.md");

const INSERTED: Readonly<Record<string, () => string>> = {
  ports: () =>
    table(
      ["service", "port", "variable"],
      SERVICES.map(({ name, port, portVariable }) => [name, String(port), code(portVariable)]),
    ),
  streams: () =>
    blocks(
      Object.entries(FIELDS).flatMap(([name, stream]) => [
        `### \`${keys.streams[name as StreamName]}\``,
        stream.about,
        fieldTable(stream.meanings, stream.schema),
      ]),
    ),
  keys: () =>
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
  "partitions of symbols": () =>
    table(
      ["symbol", ...PARTITION_COUNTS.map((count) => `of ${count}`)],
      PARTITION_SYMBOLS.map((symbol) => [
        code(symbol),
        ...PARTITION_COUNTS.map((count) => String(partitionOf(symbol, count))),
      ]),
    ),
  "slots of partitions": () =>
    table(
      ["tag", ...TAGGED_PARTITIONS.map((partition) => code(`q${partition}`))],
      [
        [
          "slot",
          ...TAGGED_PARTITIONS.map((partition) => String(slotOf(createKeys({ partition }).killSwitch))),
        ],
      ],
    ),
  proposal: () => fieldTable(PROPOSAL_FIELDS),
  records: () =>
    blocks(RECORDS.flatMap(({ title, about, record }) => [`### ${title}`, about, recordTable(record)])),
  permits: () =>
    blocks(
      VALUES.flatMap(({ title, about, example }) => [
        `### ${title}`,
        about,
        `\`\`\`json\n${example}\n\`\`\``,
      ]),
    ),
  "log lines": () => `\`\`\`\n${logLines().join("\n")}\n\`\`\``,
};

export function renderWire(): string {
  const unused = new Set(Object.keys(INSERTED));
  const text = readFileSync(TEMPLATE_FILE, "utf8").replaceAll(
    /^<!-- insert: (.+) -->$/gm,
    (_, name: string) => {
      const render = INSERTED[name];
      if (render === undefined || !unused.delete(name))
        throw new Error(`wire.template.md: there is nothing to insert as ${name}, or it is inserted twice`);
      return render();
    },
  );
  if (unused.size > 0) throw new Error(`wire.template.md lacks the insertion of ${[...unused].join()}`);
  return text;
}

function blocks(texts: readonly string[]): string {
  return texts.join("\n\n");
}

function logLines(): string[] {
  const plan = { planId: "67e6da21fa9fe506", symbol: "BTCUSDT" };
  const permitTtls = new Map([
    ["governor", 58],
    ["p33", -2],
  ]);
  return [
    waitLine({ ...plan, kind: "ok", waitMs: 345, safeQty: "0.008" }),
    waitLine({ ...plan, kind: "blocked", waitMs: 1201, reason: "missing_p33", detail: "", permitTtls }),
    `${plan.symbol}: Plan ${plan.planId} published (decision=EXECUTE, steps=1)`,
    `${plan.symbol}: Order 11934538190 executed successfully`,
    `${plan.symbol}: Result published (executed=True, error=None)`,
  ];
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
