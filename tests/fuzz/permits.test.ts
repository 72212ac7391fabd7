/**
 * Damaged permits, set as keys the way the Python issuers set them. An order may come only of two permits that a judge
 * of its own, written from the wire contract, also calls a yes; every other plan is BLOCKED for a reason.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FuzzRig, startFuzzRig } from "./rig.ts";
import { applyDamage, byteDamage, damageBytes } from "./mutations.ts";
import { nextProposal, planIdOf } from "./inputs.ts";
import { batchesOf, SEED, TIMEOUT_MS } from "./settings.ts";

const SYMBOL = "BTCUSDT";
const POSITION = 0.062;
/** Opening a batch of plans and setting their keys fits into it, on a busy machine, too. */
const WAIT_MS = 5_000;

let fuzzRig: FuzzRig;
beforeAll(async () => {
  fuzzRig = await startFuzzRig({
    "apply-layer": { APPLY_PERMIT_WAIT_MS: String(WAIT_MS) },
    // Permits without a signature, as the Python issuers write them.
    executor: { EXECUTOR_UNSIGNED_ISSUERS: "governor,p33" },
  });
});
afterAll(() => fuzzRig.stop());

const GOVERNOR = {
  granted: true,
  symbol: SYMBOL,
  decision: "EXECUTE",
  computed_qty: 0.0155,
  computed_notional: 1627.5,
  created_at: 1769301008.977,
  consumed: false,
};
const P33 = {
  allow: true,
  symbol: SYMBOL,
  safe_close_qty: 0.015,
  exchange_position_amt: POSITION,
  ledger_amt: POSITION,
  created_at: 1769297714.196,
  reason: "sanity_checks_passed",
};

const ODD = [
  true,
  false,
  null,
  0,
  -1,
  -0,
  1,
  1e308,
  1e-21,
  0.008,
  "0.008",
  "true",
  "",
  "NaN",
  [],
  {},
  [true],
  "ETHUSDT",
];

/** What stands at one issuer's key. */
const permit = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: "whole" as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("bytes" as const), edits: byteDamage }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("field" as const),
      field: fc.nat(),
      value: fc.option(fc.constantFrom<unknown>(...ODD), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("other" as const), text: fc.json() }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: "hash" as const }, { kind: "absent" as const }) },
);
type Permit = typeof permit extends fc.Arbitrary<infer T> ? T : never;
const blocked = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  '{"reason": "x"}',
  "{",
  "",
);
const input = fc.record({ governor: permit, p33: permit, block: blocked });

/** The bytes to set; undefined: none. */
function textOf(made: Permit, base: Readonly<Record<string, unknown>>): Buffer | undefined {
  switch (made.kind) {
    case "bytes":
      return damageBytes(made.edits, Buffer.from(JSON.stringify(base)));
    case "field": {
      const name = Object.keys(base)[made.field % Object.keys(base).length] ?? "";
      return Buffer.from(JSON.stringify({ ...base, [name]: made.value }));
    }
    case "other":
      return Buffer.from(made.text);
    case "whole":
      return Buffer.from(JSON.stringify(base));
    case "hash":
    case "absent":
    default:
      return undefined;
  }
}

/** What changes no yes into a no: control characters, a point at a number's end, what stands behind a NUL. */
function asRedisReads(text: string): string {
  const [read = ""] = text.split("\0");
  return read.replaceAll(/\p{Cc}/gu, " ").replaceAll(/(?<=\d)\.(?=[,}])/g, "");
}

/** docs/wire.md, "Permits": the permit if it is a yes for the symbol. */
function readYes(text: Buffer | undefined, yes: string): Record<string, unknown> | undefined {
  try {
    const permitted = JSON.parse(asRedisReads(String(text))) as unknown;
    if (typeof permitted !== "object" || permitted === null) return undefined;
    const fields = permitted as Record<string, unknown>;
    const unused =
      fields["consumed"] === undefined || fields["consumed"] === false || fields["consumed"] === null;
    return fields[yes] === true && fields["symbol"] === SYMBOL && unused ? fields : undefined;
  } catch {
    return undefined;
  }
}

/** The most that may be closed, or undefined if the two are no yes. */
function judged(governor: Buffer | undefined, p33: Buffer | undefined): number | undefined {
  const [cap, quantity] = [readYes(governor, "granted"), readYes(p33, "allow")];
  if (cap === undefined || quantity === undefined) return undefined;
  const safe = quantity["safe_close_qty"] ?? quantity["safe_qty"];
  const most = Number(cap["computed_qty"] ?? 0);
  if (typeof safe !== "number" || !(safe > 0) || typeof quantity["exchange_position_amt"] !== "number")
    return undefined;
  return most > 0 ? Math.min(safe, most) : safe;
}

describe(`damaged permits (seed ${SEED})`, () => {
  it("lead to an order only if both are a yes, and else to BLOCKED", { timeout: TIMEOUT_MS }, async () => {
    const { client, keys } = fuzzRig;
    const fates = new Set<string>();
    for (const batch of batchesOf(input)) {
      const proposals = batch.map(() => nextProposal(SYMBOL));
      await fuzzRig.feed(
        keys.streams.proposal,
        proposals.map((fields) => applyDamage([], fields)),
      );
      const plans = batch.map((made, index) => {
        const [governor, p33] = [textOf(made.governor, GOVERNOR), textOf(made.p33, P33)];
        return { made, id: planIdOf(proposals[index] ?? { symbol: "" }), governor, p33 };
      });
      await fuzzRig.opened(plans.map(({ id }) => id));
      await Promise.all(
        plans.map(async ({ made, id, governor, p33 }) => {
          if (made.block !== undefined) await client.set(keys.block("governor", id), made.block);
          for (const [issuer, kind, text] of [
            ["governor", made.governor.kind, governor],
            ["p33", made.p33.kind, p33],
          ] as const) {
            if (kind === "hash")
              await client.hset(keys.permit(issuer, id), "granted", "true", "allow", "true");
            if (text !== undefined) await client.setex(keys.permit(issuer, id), 60, text);
          }
        }),
      );
      await fuzzRig.ended();
      const books = await fuzzRig.books();
      const { orders } = await fuzzRig.simState();
      const quantities = new Map(orders.map((order) => [order.clientOrderId, Number(order.executedQty)]));
      const troubles = await Promise.all(
        plans.map(async ({ made, id, governor, p33 }) => {
          const trouble = await fuzzRig.planTrouble(id, books);
          if (trouble !== undefined) return trouble;
          fates.add(books.results.get(id)?.[0]?.outcome ?? "");
          const record = await client.hgetall(keys.plan(id));
          const told = `${id}: ${governor?.toString()} ${p33?.toString()} ${made.block ?? ""} ${JSON.stringify(record)}`;
          const most = made.block === undefined ? judged(governor, p33) : undefined;
          const closed = quantities.get(`qp-${id}-1`) ?? 0;
          if (record["safe_qty"] !== undefined && most === undefined) return `spent without a yes, ${told}`;
          return closed > (most ?? 0) ? `${closed} closed, ${told}` : undefined;
        }),
      );
      expect(await fuzzRig.troubles(troubles)).toEqual([]);
    }
    expect([...fates]).toEqual(expect.arrayContaining(["EXECUTED", "BLOCKED"]));
  });
});
