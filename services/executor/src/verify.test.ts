/** The executor trusts what its issuers signed for this entry, and nothing else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executeEntry, type ExecuteEntry, type PermitClaims } from "@quantum/contract";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Trust, verifyPermits } from "./verify.ts";

const NOW_MS = 1_700_000_000_500;
const PLAN = "0123456789abcdef";
const ATTEMPT = "1700000000000-0";

let folder: string;
let trust: Trust;
const signers = new Map<string, Signer>();
let stranger: Signer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-keys-"));
  const publicFile = join(folder, "issuers.json");
  for (const issuer of ["governor", "p33", "p26"])
    signers.set(issuer, await newKey({ issuer, privateFile: join(folder, `${issuer}.pem`), publicFile }));
  stranger = await newKey({
    issuer: "p33",
    privateFile: join(folder, "stranger.pem"),
    publicFile: join(folder, "strangers.json"),
  });
  const keys = await loadIssuerKeys(publicFile);
  trust = {
    mode: "paper",
    venue: "simulated",
    account: "main",
    required: ["governor", "p33"],
    unsigned: new Set(),
    keys: () => keys,
    operatorKeys: () => IssuerKeys.NONE,
  };
});
afterAll(() => rm(folder, { recursive: true }));

type Claims = Omit<PermitClaims, "kid">;

function claimsOf(issuer: string, over: Partial<Claims> = {}): Claims {
  const carries = issuer === "p33";
  return {
    issuer,
    class: "issuer",
    mode: "paper",
    venue: "simulated",
    account: "main",
    plan: PLAN,
    attempt: ATTEMPT,
    symbol: "BTCUSDT",
    side: carries ? "SELL" : "",
    step: "CLOSE_PARTIAL_75",
    pct: "75",
    safe_qty: carries ? "0.75" : "",
    position: carries ? "1" : "",
    computed_qty: "",
    issued_ms: "1700000000001",
    until_ms: "1700000090001",
    ...over,
  };
}

const signed = (issuer: string, over: Partial<Claims> = {}, by = signers.get(issuer)): string =>
  by?.sign(claimsOf(issuer, over)) ?? "";

function entryOf(texts: string[], over: Record<string, string> = {}): ExecuteEntry {
  return executeEntry.parse({
    plan_id: PLAN,
    symbol: "BTCUSDT",
    attempt: ATTEMPT,
    attempt_no: "1",
    step: "CLOSE_PARTIAL_75",
    close_pct: "75.0",
    position_amt: "1.0",
    safe_qty: "0.75",
    max_qty: "",
    valid_until_ms: "1700000005000",
    opened_at_ms: "1700000000000",
    mode: "paper",
    signed: texts.join("\n"),
    ...over,
  });
}

const verify = (entry: ExecuteEntry, over: Partial<Trust> = {}, nowMs = NOW_MS) =>
  verifyPermits(entry, { ...trust, ...over }, nowMs);

describe("permits are believed", () => {
  it("if every required issuer has signed this attempt", () => {
    expect(verify(entryOf([signed("governor"), signed("p33")]))).toEqual({
      kind: "verified",
      amounts: { position_amt: "1", safe_qty: "0.75", max_qty: "" },
      issuedMs: 1_700_000_000_001,
      untilMs: 1_700_000_090_001,
      signatures: { governor: "valid", p33: "valid" },
    });
  });

  it("and side and quantity are what was signed, whatever the entry says", () => {
    const texts = [signed("governor", { computed_qty: "0.5" }), signed("p33", { computed_qty: "0.6" })];
    const entry = entryOf(texts, { position_amt: "-9", safe_qty: "9", max_qty: "8" });
    expect(verify(entry)).toMatchObject({
      amounts: { position_amt: "1", safe_qty: "0.75", max_qty: "0.5" },
    });
  });

  it("without a signature only of the issuers that are named as unable to sign", () => {
    const unsigned = new Set(["governor", "p33"]);
    expect(verify(entryOf([], { max_qty: "0.4" }), { unsigned })).toMatchObject({
      kind: "verified",
      amounts: { position_amt: "1.0", safe_qty: "0.75", max_qty: "0.4" },
      issuedMs: undefined,
      untilMs: Number.POSITIVE_INFINITY,
      signatures: { governor: "unsigned", p33: "unsigned" },
    });
  });

  it("with the entry's cap while some issuer cannot sign its own", () => {
    const entry = entryOf([signed("p33")], { max_qty: "0.4", safe_qty: "9" });
    expect(verify(entry, { unsigned: new Set(["governor"]) })).toMatchObject({
      amounts: { safe_qty: "0.75", max_qty: "0.4" },
      signatures: { governor: "unsigned", p33: "valid" },
    });
  });

  it("of an issuer that is not required as well: its cap counts", () => {
    const texts = [signed("governor"), signed("p33"), signed("p26", { computed_qty: "0.1" })];
    expect(verify(entryOf(texts))).toMatchObject({ amounts: { max_qty: "0.1" } });
  });
});

describe("permits are not believed", () => {
  const both = (over: Partial<Claims>) => [signed("governor", over), signed("p33", over)];

  it.each<[string, string, () => string[]]>([
    ["permit_unsigned", "no signed permit", () => [signed("governor")]],
    ["permit_unsigned", "no signed permit", () => []],
    ["permit_forged", "is not that of", () => [signed("governor"), signed("p33").replace("0.75", "0.76")]],
    ["permit_forged", "has no key", () => [signed("governor"), signed("p33", {}, stranger)]],
    [
      "permit_forged",
      "is one of governor",
      () => [signed("governor"), signed("p33", {}, signers.get("governor"))],
    ],
    ["permit_forged", "two permits", () => [signed("governor"), signed("p33"), signed("p33")]],
    ["permit_forged", "v=1", () => [signed("governor"), "garbage"]],
    ["permit_forged", "does not close", () => [signed("governor"), signed("p33", { side: "BUY" })]],
    ["permit_forged", "does not say", () => [signed("governor"), signed("p33", { safe_qty: "" })]],
    ["permit_of_another_plan", "plan", () => both({ plan: "f".repeat(16) })],
    ["permit_of_another_plan", "attempt", () => both({ attempt: "1700000000000-1" })],
    ["permit_of_another_plan", "symbol", () => both({ symbol: "ETHUSDT" })],
    ["permit_of_another_plan", "step", () => both({ step: "CLOSE_FULL" })],
    ["permit_of_another_plan", "pct", () => both({ pct: "100" })],
    ["permit_of_another_plan", "mode", () => both({ mode: "dry_run" })],
    ["permit_of_another_plan", "venue", () => both({ venue: "testnet.binancefuture.com" })],
    ["permit_of_another_plan", "account", () => both({ account: "other" })],
    ["permit_of_another_plan", "class", () => both({ class: "drill" })],
    ["permit_expired", "valid until", () => both({ until_ms: String(NOW_MS - 1) })],
    ["permit_expired", "issued at", () => both({ issued_ms: String(NOW_MS + 60_000) })],
  ])("%s, and why: %s", (reason, why, texts) => {
    expect(verify(entryOf(texts()))).toMatchObject({
      kind: "flawed",
      reason,
      why: expect.stringContaining(why) as string,
    });
  });

  it("if one of several is not right, whichever it is", () => {
    const wrong = signed("governor", { pct: "100" });
    const texts = fc.shuffledSubarray([signed("p26"), wrong, signed("p33")], { minLength: 3 });
    fc.assert(
      fc.property(texts, (order) => {
        expect(verify(entryOf(order)).kind).toBe("flawed");
      }),
    );
  });

  it("though the issuer may be unsigned: a signature that is there is checked", () => {
    const texts = [signed("governor").replace("75", "76"), signed("p33")];
    const unsigned = new Set(["governor"]);
    expect(verify(entryOf(texts), { unsigned })).toMatchObject({
      reason: "permit_forged",
      signatures: { governor: "permit_forged", p33: "valid" },
    });
  });

  it("in another mode than the executor's, signed or not", () => {
    const unsigned = new Set(["governor", "p33"]);
    for (const texts of [[], [signed("governor"), signed("p33")]])
      expect(verify(entryOf(texts), { mode: "testnet", unsigned })).toMatchObject({
        reason: "permit_of_another_plan",
      });
  });

  it("in a dry run, in which nothing is sent, signed or not", () => {
    const mode = "dry_run";
    const unsigned = new Set(["governor", "p33"]);
    const texts = [signed("governor", { mode }), signed("p33", { mode })];
    for (const signedTexts of [texts, []])
      expect(verify(entryOf(signedTexts, { mode }), { mode, unsigned })).toMatchObject({
        reason: "permit_of_another_plan",
      });
  });

  it("if there are more texts than issuers, which are then not looked at", () => {
    const flood = Array<string>(20_000).fill(signed("p33").replace("75", "76"));
    expect(verify(entryOf([signed("governor"), ...flood]))).toMatchObject({
      why: "more than 16 signed permits",
    });
  });

  it("and says why in few words, whatever the entry says", () => {
    const long = "x".repeat(200);
    const { why } = verify(entryOf([], { mode: long })) as { why: string };
    expect(why.length).toBeLessThan(long.length);
  });

  it.each(["governor", "p33"])("without the permit of %s", (missing) => {
    const texts = ["governor", "p33"].filter((issuer) => issuer !== missing).map((issuer) => signed(issuer));
    expect(verify(entryOf(texts))).toMatchObject({
      reason: "permit_unsigned",
      why: `${missing}: no signed permit`,
    });
  });

  it("of fewer issuers than the executor requires, whichever the apply-layer did", () => {
    const texts = [signed("governor"), signed("p33")];
    expect(verify(entryOf(texts), { required: ["governor", "p33", "p26"] })).toMatchObject({
      reason: "permit_unsigned",
      why: "p26: no signed permit",
      signatures: { governor: "valid", p33: "valid", p26: "permit_unsigned" },
    });
  });
});
