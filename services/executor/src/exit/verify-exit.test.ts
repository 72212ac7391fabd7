/** An exit is what an enrolled operator has signed for this plan, place and time, and nothing else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executeEntry, type ExecuteEntry, type PermitClaims } from "@quantum/contract";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitClassOf, type ExitTrust, verifyExit } from "./verify-exit.ts";

const NOW_MS = 1_700_000_000_500;
const ISSUED_MS = 1_700_000_000_000;
const PLAN = "0123456789abcdef";

let folder: string;
let trust: ExitTrust;
let issuerKeys: IssuerKeys;
let alice: Signer;
let retired: Signer;
let governor: Signer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-keys-"));
  const publicFile = join(folder, "operators.json");
  const key = (issuer: string, name: string, file: string) =>
    newKey({ issuer, privateFile: join(folder, `${name}.pem`), publicFile: join(folder, file) });
  alice = await key("alice", "alice", "operators.json");
  await key("bob", "bob", "operators.json");
  retired = await key("alice", "retired", "retired.json");
  governor = await key("governor", "governor", "issuers.json");
  issuerKeys = await loadIssuerKeys(join(folder, "issuers.json"));
  const operatorKeys = await loadIssuerKeys(publicFile);
  trust = { mode: "paper", venue: "simulated", account: "main", operatorKeys: () => operatorKeys };
});
afterAll(() => rm(folder, { recursive: true }));

type Claims = Omit<PermitClaims, "kid">;

function claimsOf(over: Partial<Claims> = {}): Claims {
  return {
    issuer: "alice",
    class: "operator",
    mode: "paper",
    venue: "simulated",
    account: "main",
    plan: PLAN,
    attempt: "0-0",
    symbol: "BTCUSDT",
    side: "SELL",
    step: "CLOSE_BY_OPERATOR",
    pct: "100",
    safe_qty: "0.75",
    position: "0.75",
    computed_qty: "",
    issued_ms: String(ISSUED_MS),
    until_ms: String(ISSUED_MS + 60_000),
    ...over,
  };
}

const DRILL = { class: "drill", symbol: "ACCOUNT", side: "", safe_qty: "", position: "" } as const;

const signed = (over: Partial<Claims> = {}, by = alice): string => by.sign(claimsOf(over));

function entryOf(text: string, over: Record<string, string> = {}): ExecuteEntry {
  return executeEntry.parse({
    plan_id: PLAN,
    symbol: "BTCUSDT",
    attempt: `${ISSUED_MS}-0`,
    attempt_no: "1",
    step: "CLOSE_BY_OPERATOR",
    close_pct: "100",
    position_amt: "0.75",
    safe_qty: "0.75",
    max_qty: "",
    valid_until_ms: String(ISSUED_MS + 60_000),
    opened_at_ms: String(ISSUED_MS),
    mode: "paper",
    signed: text,
    ...over,
  });
}

const verify = (entry: ExecuteEntry, over: Partial<ExitTrust> = {}, nowMs = NOW_MS) =>
  verifyExit(entry, { ...trust, ...over }, nowMs);

describe("an exit is believed", () => {
  const believed = {
    kind: "operator",
    operator: "alice",
    side: "SELL",
    largestQty: "0.75",
    issuedMs: ISSUED_MS,
    untilMs: ISSUED_MS + 60_000,
  };

  it("if an enrolled operator has signed it for this plan", () => {
    expect(verify(entryOf(signed()))).toEqual(believed);
  });

  it("of a short position as well", () => {
    const entry = entryOf(signed({ side: "BUY", position: "-0.75" }));
    expect(verify(entry)).toEqual({ ...believed, side: "BUY" });
  });

  it("of a flat position as well, of which only what waits is cancelled", () => {
    const entry = entryOf(signed({ side: "BUY", position: "0", safe_qty: "0" }));
    expect(verify(entry)).toEqual({ ...believed, side: "BUY", largestQty: "0" });
  });

  it("and side and largest quantity are what was signed, whatever the entry says", () => {
    const amount = fc.integer({ min: 1, max: 1_000_000 }).map(String);
    const other = fc.record({ position_amt: amount, safe_qty: amount, max_qty: amount, close_pct: amount });
    fc.assert(
      fc.property(other, (over) => {
        expect(verify(entryOf(signed(), over))).toEqual(believed);
      }),
    );
  });

  it("until the end of its time, and not after", () => {
    const entry = entryOf(signed());
    expect(verify(entry, {}, ISSUED_MS + 60_000).kind).toBe("operator");
    expect(verify(entry, {}, ISSUED_MS + 60_001)).toMatchObject({
      reason: "permit_expired",
      signedAs: "operator",
    });
  });
});

describe("a drill is believed", () => {
  it("if an enrolled operator has signed it", () => {
    const entry = entryOf(signed(DRILL), { symbol: "ACCOUNT", position_amt: "0", safe_qty: "0" });
    expect(verify(entry)).toEqual({
      kind: "drill",
      operator: "alice",
      issuedMs: ISSUED_MS,
      untilMs: ISSUED_MS + 60_000,
    });
  });

  it.each<Partial<Claims>>([
    { symbol: "BTCUSDT" },
    { side: "SELL" },
    { safe_qty: "0.75" },
    { position: "0.75" },
  ])("and not if it could be an order: %o", (over) => {
    const entry = entryOf(signed({ ...DRILL, ...over }), { symbol: over.symbol ?? "ACCOUNT" });
    expect(verify(entry)).toMatchObject({ kind: "flawed", reason: "permit_of_another_plan" });
  });
});

describe("an exit is not believed", () => {
  it.each<[string, string, () => string]>([
    ["permit_forged", "is not that of", () => signed().replaceAll("0.75", "7.5")],
    ["permit_forged", "is not that of", () => signed().replace("class=operator", "class=drill")],
    ["permit_forged", "has no key", () => signed({}, retired)],
    ["permit_forged", "no key of governor", () => signed({ issuer: "governor" }, governor)],
    ["permit_forged", "has no key", () => signed({}, governor)],
    ["permit_forged", "is one of alice", () => signed({ issuer: "bob" })],
    ["permit_forged", "more than one", () => `${signed()}\n${signed()}`],
    ["permit_forged", "more than one", () => `${signed()}\n`],
    ["permit_forged", "does not close", () => signed({ side: "BUY" })],
    ["permit_forged", "does not say", () => signed({ side: "" })],
    ["permit_forged", "does not say", () => signed({ safe_qty: "" })],
    ["permit_forged", "does not close", () => signed({ position: "0" })],
    ["permit_forged", "longer than", () => signed({ until_ms: String(ISSUED_MS + 60_001) })],
    ["permit_of_another_plan", "plan", () => signed({ plan: "f".repeat(16) })],
    ["permit_of_another_plan", "attempt", () => signed({ attempt: `${ISSUED_MS}-0` })],
    ["permit_of_another_plan", "symbol", () => signed({ symbol: "ETHUSDT" })],
    ["permit_of_another_plan", "step", () => signed({ step: "CLOSE_FULL" })],
    ["permit_of_another_plan", "mode", () => signed({ mode: "testnet" })],
    ["permit_of_another_plan", "venue", () => signed({ venue: "testnet.binancefuture.com" })],
    ["permit_of_another_plan", "account", () => signed({ account: "other" })],
    ["permit_expired", "valid until", () => signed({ until_ms: String(NOW_MS - 1) })],
    ["permit_expired", "issued at", () => signed({ issued_ms: String(NOW_MS + 5_000) })],
  ])("%s, and why: %s", (reason, why, text) => {
    expect(verify(entryOf(text()))).toMatchObject({
      kind: "flawed",
      reason,
      why: expect.stringContaining(why) as string,
    });
  });

  it("of the class of the issuers, though an operator has signed it", () => {
    expect(verify(entryOf(signed({ class: "issuer" })))).toMatchObject({
      reason: "permit_forged",
      why: "issuer is no class of an operator",
    });
  });

  it("without a list of operators, whoever has signed it", () => {
    const none = { operatorKeys: () => IssuerKeys.NONE };
    expect(verify(entryOf(signed()), none)).toMatchObject({ reason: "exit_not_enrolled" });
  });

  it("by the issuers' keys", () => {
    const entry = entryOf(signed({ issuer: "governor" }, governor));
    expect(verify(entry, { operatorKeys: () => issuerKeys }).kind).toBe("operator");
    expect(verify(entry)).toMatchObject({ reason: "permit_forged" });
  });

  it("in a dry run, in which nothing is sent", () => {
    const entry = entryOf(signed({ mode: "dry_run" }), { mode: "dry_run" });
    expect(verify(entry, { mode: "dry_run" })).toMatchObject({ reason: "permit_of_another_plan" });
  });

  it.each([{ step: "CLOSE_FULL" }, { mode: "testnet" }, { symbol: "ETHUSDT" }, { plan_id: "f".repeat(16) }])(
    "if the entry says something else: %o",
    (over) => {
      expect(verify(entryOf(signed(), over))).toMatchObject({ reason: "permit_of_another_plan" });
    },
  );

  it("whichever letter of its text is changed", () => {
    const text = signed();
    const at = fc.integer({ min: 0, max: text.length - 1 });
    fc.assert(
      fc.property(at, fc.constantFrom("0", "1", "a", "Z", ";", "=", "\n"), (index, letter) => {
        fc.pre(text[index] !== letter);
        const changed = text.slice(0, index) + letter + text.slice(index + 1);
        // A signature's last letter carries bits that do not count.
        fc.pre(index < text.length - 1);
        expect(verify(entryOf(changed)).kind).toBe("flawed");
      }),
    );
  });

  it("and a forged one says nothing about whose it is", () => {
    expect(verify(entryOf(signed({}, retired)))).toMatchObject({ signedAs: undefined });
    expect(verify(entryOf(signed({ account: "other" })))).toMatchObject({ signedAs: "operator" });
  });
});

describe("the class of an entry", () => {
  it("is that of its first signed text, and of nothing else", () => {
    const issuer = signed({ class: "issuer" });
    expect(exitClassOf({ signed: signed() })).toBe("operator");
    expect(exitClassOf({ signed: signed(DRILL) })).toBe("drill");
    expect(exitClassOf({ signed: issuer })).toBeUndefined();
    expect(exitClassOf({ signed: `${issuer}\n${signed()}` })).toBeUndefined();
    for (const text of ["", "v=1", "class=operator"]) expect(exitClassOf({ signed: text })).toBeUndefined();
  });
});
