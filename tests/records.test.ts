/** The tables of `records.ts` and the scripts that they name agree. What really stands in Redis: records.slow.test.ts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type HashRecord,
  ledgerRecord,
  orderRecord,
  ownerRecord,
  planRecord,
  snapshotRecord,
} from "@quantum/contract";
import { describe, expect, it } from "vitest";

const LUA = join(import.meta.dirname, "../lua");
const textOf = (script: string) => readFileSync(join(LUA, `${script}.lua`), "utf8");

describe.each<[string, HashRecord]>([
  ["the plan's record", planRecord],
  ["the order's claim", orderRecord],
  ["the owner of the orders", ownerRecord],
])("%s", (_, { fields }) => {
  const written = Object.entries(fields).flatMap(([name, field]) =>
    field.written.map(([script]) => ({ name, script })),
  );

  it.each(written)("$name is written by $script", ({ name, script }) => {
    const literal = name.startsWith("{issuer}") ? `'${name.slice("{issuer}".length)}'` : `'${name}'`;
    expect(textOf(script)).toContain(literal);
  });
});

it.each<[string, HashRecord]>([
  ["snapshot", snapshotRecord],
  ["ledger", ledgerRecord],
])("the %s is written by ledger/store alone, and each hash has every field", (_, { fields, always }) => {
  const scripts = Object.values(fields).flatMap(({ written }) => written.map(([script]) => script));
  expect(new Set(scripts)).toEqual(new Set(["ledger/store"]));
  expect(always).toEqual(Object.keys(fields));
});
