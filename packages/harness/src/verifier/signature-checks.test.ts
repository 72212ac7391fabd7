/** The verifier finds an order that the issuers did not sign. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PermitClaims } from "@quantum/contract";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evidenceOf, type MutableEvidence } from "./flawless-evidence.ts";
import { checkInvariants } from "./invariants.ts";

let folder: string;
let issuerKeys = IssuerKeys.NONE;
let operatorKeys = IssuerKeys.NONE;
let alice: Signer;
const signers = new Map<string, Signer>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-keys-"));
  const publicFile = join(folder, "issuers.json");
  for (const issuer of ["governor", "p33"])
    signers.set(issuer, await newKey({ issuer, privateFile: join(folder, `${issuer}.pem`), publicFile }));
  issuerKeys = await loadIssuerKeys(publicFile);
  const operators = join(folder, "operators.json");
  alice = await newKey({
    issuer: "alice",
    privateFile: join(folder, "operator-alice.pem"),
    publicFile: operators,
  });
  operatorKeys = await loadIssuerKeys(operators);
});
afterAll(() => rm(folder, { recursive: true }));

/** One executed plan, whose issuers signed what the entry says, but for `over`. */
function signedRun(over: Partial<PermitClaims> = {}): MutableEvidence {
  const evidence = evidenceOf([{ symbol: "BTCUSDT", closePct: 50, end: "EXECUTED", split: false }]);
  const [execute] = evidence.executes;
  if (execute === undefined) throw new Error("an executed plan has an execute entry");
  execute.signed = [...signers]
    .map(([issuer, signer]) => {
      const quantity = { side: "SELL", safe_qty: execute.safeQty, position: execute.positionAmt } as const;
      return signer.sign({
        issuer,
        class: "issuer",
        mode: "paper",
        venue: "simulated",
        account: "main",
        plan: execute.planId,
        attempt: execute.attempt,
        symbol: execute.symbol,
        step: "CLOSE_PARTIAL_50",
        pct: execute.closePct,
        computed_qty: "",
        issued_ms: "1",
        until_ms: "2",
        ...(issuer === "p33" ? quantity : { side: "", safe_qty: "", position: "" }),
        ...(issuer === "p33" && over),
      });
    })
    .join("\n");
  return { ...evidence, issuerKeys };
}

const violations = (evidence: MutableEvidence) => checkInvariants(evidence).I2.violations;

describe("I2 by signatures", () => {
  it("holds where every issuer signed what was ordered", () => {
    expect(violations(signedRun())).toEqual([]);
  });

  it("is not judged in a run whose issuers sign nothing", () => {
    expect(violations({ ...signedRun(), issuerKeys: undefined })).toEqual([]);
  });

  it.each<[string, Partial<PermitClaims>, string]>([
    ["another plan", { plan: "f".repeat(16) }, "p33 signed plan ffffffffffffffff"],
    ["another attempt", { attempt: "9-9" }, "attempt 9-9"],
    ["another symbol", { symbol: "ETHUSDT" }, "ETHUSDT"],
    ["another side", { side: "BUY" }, "SELL, signed is BUY"],
    ["a smaller quantity", { safe_qty: "0.1" }, "signed are 0.1"],
    ["a smaller share", { pct: "0.01" }, "signed are 0.01"],
    ["a lower cap", { computed_qty: "0.2" }, "signed are 0.2"],
  ])("is broken where what was signed is %s", (_, over, sentence) => {
    expect(violations(signedRun(over)).join()).toContain(sentence);
  });

  it.each<[string, (texts: string[]) => string[], string]>([
    ["missing", ([governor = ""]) => [governor], "p33 signed nothing"],
    ["changed", ([a = "", b = ""]) => [a, b.replace("SELL", "BUY")], "a permit is forged"],
    ["garbled", ([a = ""]) => [a, "v=1"], "a permit is forged"],
  ])("is broken where a permit is %s", (_, change, sentence) => {
    const evidence = signedRun();
    const [execute] = evidence.executes;
    if (execute !== undefined) execute.signed = change(execute.signed.split("\n")).join("\n");
    expect(violations(evidence).join()).toContain(sentence);
  });
});

/** One exit under the kill switch, which an operator signed, but for `over`. */
function exitRun(over: Partial<PermitClaims> = {}, signer: Signer = alice): MutableEvidence {
  const evidence = evidenceOf([{ symbol: "BTCUSDT", closePct: 100, end: "EXECUTED", split: false }]);
  const [execute] = evidence.executes;
  if (execute === undefined) throw new Error("an executed plan has an execute entry");
  execute.signed = signer.sign({
    issuer: "alice",
    class: "operator",
    mode: "paper",
    venue: "simulated",
    account: "main",
    plan: execute.planId,
    attempt: "0-0",
    symbol: execute.symbol,
    side: "SELL",
    step: "CLOSE_BY_OPERATOR",
    pct: "100",
    safe_qty: execute.safeQty,
    position: execute.positionAmt,
    computed_qty: "",
    issued_ms: "1",
    until_ms: "2",
    ...over,
  });
  const halts = [{ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }];
  return { ...evidence, permits: [], issuerKeys, operatorKeys, halts };
}

const all = (evidence: MutableEvidence) =>
  Object.values(checkInvariants(evidence)).flatMap(({ violations: found }) => found);

describe("an operator's exit", () => {
  it("needs no permit, only the operator's signature, and passes the kill switch", () => {
    expect(all(exitRun())).toEqual([]);
  });

  it("is not judged by its share, which it only shows", () => {
    expect(all(exitRun({ pct: "1" }))).toEqual([]);
  });

  it.each<[string, () => MutableEvidence, string]>([
    ["nobody is enrolled", () => ({ ...exitRun(), operatorKeys: undefined }), "no key of alice is known"],
    ["an issuer signed it", () => exitRun({ issuer: "p33" }, signers.get("p33")), "no key of p33 is known"],
    ["it is a drill", () => exitRun({ class: "drill" }), "alice signed a drill"],
    ["of another plan", () => exitRun({ plan: "f".repeat(16) }), "alice signed plan ffffffffffffffff"],
    ["of an attempt", () => exitRun({ attempt: "1-0" }), "attempt 1-0"],
    ["of another symbol", () => exitRun({ symbol: "ETHUSDT" }), "ETHUSDT"],
    ["of the other side", () => exitRun({ side: "BUY" }), "SELL, signed is BUY"],
    ["of less", () => exitRun({ safe_qty: "0.1" }), "signed are 0.1"],
    ["of no quantity", () => exitRun({ safe_qty: "" }), "signed are 0"],
  ])("is a violation where %s", (_, make, sentence) => {
    expect(violations(make()).join()).toContain(sentence);
  });

  it("is a violation where an issuer's permit goes with it", () => {
    const evidence = exitRun();
    const [execute] = evidence.executes;
    if (execute !== undefined) execute.signed += `\n${execute.signed}`;
    expect(violations(evidence).join()).toContain("1 texts besides the operator's");
  });

  it("passes the kill switch as a drill, too", () => {
    expect(checkInvariants(exitRun({ class: "drill" })).I6.violations).toEqual([]);
  });

  it("passes the kill switch only if it is signed", () => {
    const forged = { ...exitRun(), operatorKeys: IssuerKeys.NONE };
    expect(checkInvariants(forged).I6.violations.join()).toContain("under the kill switch");
  });

  it("is the only reason to cancel an order, of its own symbol", () => {
    const cancelled = [{ symbol: "BTCUSDT", id: "7" }];
    expect(all({ ...exitRun(), cancelled })).toEqual([]);
    const without: MutableEvidence[] = [
      signedRun(),
      exitRun({ class: "drill" }),
      { ...exitRun(), operatorKeys: undefined },
    ];
    for (const evidence of without)
      expect(violations({ ...evidence, cancelled }).join()).toContain("order 7 of BTCUSDT: cancelled");
    const ofAnother = { ...exitRun(), cancelled: [{ symbol: "ETHUSDT", id: "7" }] };
    expect(violations(ofAnother).join()).toContain("order 7 of ETHUSDT: cancelled");
  });

  it("is claimed in time, like any order", () => {
    const evidence = exitRun();
    const [execute] = evidence.executes;
    if (execute !== undefined) execute.validUntilMs = 1;
    expect(checkInvariants(evidence).I6.violations.join()).toContain("after its valid_until_ms");
  });
});
