/** The tables of `records.ts` and the scripts that they name agree. What really stands in Redis: records.slow.test.ts. */
import {
  type HashRecord,
  ledgerRecord,
  orderRecord,
  ownerRecord,
  planRecord,
  snapshotRecord,
} from "@quantum/contract";
import { loadScript } from "@quantum/lua";
import { describe, expect, it } from "vitest";

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
    expect(loadScript(script).lone.source).toContain(literal);
  });
});

it.each<[string, HashRecord]>([
  ["snapshot", snapshotRecord],
  ["ledger", ledgerRecord],
])("the %s is written whole by ledger/store, and each hash has every field", (_, { fields, always }) => {
  const scripts = Object.values(fields).flatMap(({ written }) => written.map(([script]) => script));
  // Of what is there already, ledger/keep renews the age.
  expect(scripts.filter((script) => script !== "ledger/store" && script !== "ledger/keep")).toEqual([]);
  for (const { written } of Object.values(fields)) expect(written[0]?.[0]).toBe("ledger/store");
  expect(always).toEqual(Object.keys(fields));
});
