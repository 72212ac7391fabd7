/**
 * Damaged signed texts in permits that are otherwise a yes. An order comes only of the very bytes that both issuers signed
 * for that attempt; every other plan ends BLOCKED, or NOT_PLACED by the executor.
 */
import { join } from "node:path";
import { loadSigningKey, type Signer } from "@quantum/signing";
import { privateKeyFile } from "@quantum/topology";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nextProposal, planIdOf } from "./inputs.ts";
import { applyDamage, byteDamage, damageBytes } from "./mutations.ts";
import { type FuzzRig, startFuzzRig } from "./rig.ts";
import { batchesOf, SEED, TIMEOUT_MS } from "./settings.ts";

const SYMBOL = "BTCUSDT";
const POSITION = "0.062";
const SAFE_QTY = "0.015";
const ISSUERS = ["governor", "p33"] as const;
type Issuer = (typeof ISSUERS)[number];
/** Opening a batch of plans and setting their keys fits into it, on a busy machine, too. */
const WAIT_MS = 5_000;

let fuzzRig: FuzzRig;
const signers = new Map<Issuer, Signer>();

beforeAll(async () => {
  fuzzRig = await startFuzzRig({
    "apply-layer": { APPLY_PERMIT_WAIT_MS: String(WAIT_MS) },
    executor: {},
  });
  for (const issuer of ISSUERS)
    signers.set(issuer, await loadSigningKey(join(fuzzRig.keysFolder, privateKeyFile(issuer))));
});
afterAll(() => fuzzRig.stop());

/** What becomes of one issuer's text: `other` is the text that it signed for the plan before. */
const fate = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: "whole" as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("bytes" as const), edits: byteDamage }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: "absent" as const }, { kind: "other" as const }) },
);
const input = fc.record({ governor: fate, p33: fate });
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never;

const WHOLE: Fate = { kind: "whole" };
/** One for each outcome: a text of two lines is no permit, which few seeds damage a text to. */
const CERTAIN: { governor: Fate; p33: Fate }[] = [
  { governor: WHOLE, p33: WHOLE },
  { governor: { kind: "absent" }, p33: WHOLE },
  { governor: { kind: "bytes", edits: [{ kind: "insert", at: 0, byte: 0x0a }] }, p33: WHOLE },
];

const before = new Map<Issuer, string>();

function signed(issuer: Issuer, plan: string, record: Record<string, string>): string {
  const quantity = { side: "SELL", safe_qty: SAFE_QTY, position: POSITION } as const;
  const nowMs = Date.now();
  const text = signers.get(issuer)?.sign({
    issuer,
    class: "issuer",
    mode: "paper",
    venue: "simulated",
    account: "main",
    plan,
    attempt: record["attempt"] ?? "",
    symbol: SYMBOL,
    step: record["step"] ?? "",
    pct: String(Number(record["close_pct"])),
    computed_qty: "",
    issued_ms: String(nowMs),
    until_ms: String(nowMs + 90_000),
    ...(issuer === "p33" ? quantity : { side: "", safe_qty: "", position: "" }),
  });
  return text ?? "";
}

/** The text to set, as Redis will hold it; undefined: none. */
function textOf(made: Fate, issuer: Issuer, whole: string): string | undefined {
  const other = before.get(issuer) ?? "v=1";
  before.set(issuer, whole);
  switch (made.kind) {
    case "whole":
      return whole;
    case "bytes":
      return damageBytes(made.edits, Buffer.from(whole)).toString("latin1");
    case "other":
      return other;
    case "absent":
    default:
      return undefined;
  }
}

function permitOf(issuer: Issuer, text: string | undefined): string {
  const body =
    issuer === "governor"
      ? { granted: true, symbol: SYMBOL, computed_qty: 0 }
      : {
          allow: true,
          symbol: SYMBOL,
          safe_close_qty: Number(SAFE_QTY),
          exchange_position_amt: Number(POSITION),
        };
  return JSON.stringify({ ...body, ...(text !== undefined && { signed: text }) });
}

describe(`damaged signatures (seed ${SEED})`, () => {
  it("lead to no order, and whole ones do", { timeout: TIMEOUT_MS }, async () => {
    const { client, keys } = fuzzRig;
    const fates = new Set<string>();
    for (const batch of batchesOf(input, CERTAIN)) {
      const proposals = batch.map(() => nextProposal(SYMBOL));
      await fuzzRig.feed(
        keys.streams.proposal,
        proposals.map((fields) => applyDamage([], fields)),
      );
      const ids = proposals.map((proposal) => planIdOf(proposal));
      await fuzzRig.opened(ids);
      const plans = await Promise.all(
        batch.map(async (made, index) => {
          const id = ids[index] ?? "";
          return { made, id, record: await client.hgetall(keys.plan(id)) };
        }),
      );
      const wholes = new Map<string, boolean>();
      for (const { made, id, record } of plans) {
        const texts = ISSUERS.map((issuer) => {
          const whole = signed(issuer, id, record);
          const text = textOf(made[issuer], issuer, whole);
          return { issuer, text, isWhole: text === whole };
        });
        wholes.set(
          id,
          texts.every(({ isWhole }) => isWhole),
        );
        for (const { issuer, text } of texts)
          await client.setex(keys.permit(issuer, id), 60, permitOf(issuer, text));
      }
      await fuzzRig.ended();
      const books = await fuzzRig.books();
      const { orders } = await fuzzRig.simState();
      const ordered = new Set(orders.map(({ clientOrderId }) => clientOrderId));
      const troubles = await Promise.all(
        ids.map(async (id) => {
          const trouble = await fuzzRig.planTrouble(id, books);
          if (trouble !== undefined) return trouble;
          const result = books.results.get(id)?.[0];
          fates.add(result?.outcome ?? "");
          if (ordered.has(`qp-${id}-1`) && wholes.get(id) !== true)
            return `${id}: an order without both signatures`;
          const { state, p33_signature: p33 } = await client.hgetall(keys.plan(id));
          return state === "EXECUTED" && p33 !== "valid"
            ? `${id}: executed, its signature ${p33}`
            : undefined;
        }),
      );
      expect(await fuzzRig.troubles(troubles)).toEqual([]);
    }
    expect([...fates]).toEqual(expect.arrayContaining(["EXECUTED", "NOT_PLACED", "BLOCKED"]));
  });
});
