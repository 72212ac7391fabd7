/** What an issuer signs is what its permit says. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planEntry, PythonFloat, type PythonJson } from "@quantum/contract";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer, verifyPermit } from "@quantum/signing";
import { issuerOf } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deny, grant } from "./policy.ts";
import { createPermitSigner } from "./sign.ts";

const NOW_MS = 1_700_000_000_001;
const ATTEMPT = "1700000000000-0";
let folder: string;
let key: Signer;
let keys = IssuerKeys.NONE;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-keys-"));
  const publicFile = join(folder, "issuers.json");
  key = await newKey({ issuer: "p33", privateFile: join(folder, "p33.pem"), publicFile });
  keys = await loadIssuerKeys(publicFile);
});
afterAll(() => rm(folder, { recursive: true }));

const planOf = (over: Record<string, string> = {}) =>
  planEntry.parse({
    plan_id: "0123456789abcdef",
    symbol: "BTCUSDT",
    action: "PARTIAL_75",
    kill_score: "0.5",
    decision: "EXECUTE",
    steps: JSON.stringify([
      { step: "CLOSE_PARTIAL_75", type: "market_reduce_only", side: "close", pct: 75.0 },
    ]),
    mode: "paper",
    ...over,
  });

const signer = (issuer: string) =>
  createPermitSigner({
    issuer: issuerOf(issuer),
    key: () => key,
    venue: "simulated",
    account: "main",
    permitSec: 60,
    now: () => NOW_MS,
  });

function signedOf(permit: Record<string, PythonJson>, issuer = "p33", plan = planOf()) {
  const decision = signer(issuer)(grant("fine", permit), plan, ATTEMPT);
  if (decision.verdict !== "granted") throw new Error("denied");
  return decision.permit["signed"] as string | undefined;
}

const P33 = {
  safe_close_qty: new PythonFloat("0.75"),
  safe_qty: new PythonFloat("0.75"),
  exchange_position_amt: new PythonFloat("-1.000"),
  ledger_amt: new PythonFloat("-1.000"),
};

describe("a granted permit", () => {
  it("is signed with side, quantity and position if it carries the quantity", () => {
    expect(verifyPermit(signedOf(P33) ?? "", keys)).toEqual({
      claims: {
        kid: key.kid,
        issuer: "p33",
        class: "issuer",
        mode: "paper",
        venue: "simulated",
        account: "main",
        plan: "0123456789abcdef",
        attempt: ATTEMPT,
        symbol: "BTCUSDT",
        side: "BUY",
        step: "CLOSE_PARTIAL_75",
        pct: "75",
        safe_qty: "0.75",
        position: "-1",
        computed_qty: "",
        issued_ms: String(NOW_MS),
        until_ms: String(NOW_MS + 90_000),
      },
    });
  });

  it.each([
    [new PythonFloat("0.0015"), "0.0015"],
    [new PythonFloat("123456789012345678.00000001"), "123456789012345678.00000001"],
    [7, "7"],
    [0, ""],
    [new PythonFloat("0.0"), ""],
  ])("of another issuer is signed with its cap alone: %j as %j", (cap, text) => {
    const signed = signedOf({ ...P33, computed_qty: cap }, "governor");
    expect(signed).toContain(`;side=;step=CLOSE_PARTIAL_75;pct=75;safe_qty=;position=;computed_qty=${text};`);
  });

  it.each([
    ["of a plan without a mode, such as the Python apply-layer's", { mode: "" }],
    ["of a plan that closes nothing", { steps: JSON.stringify([{ step: "UPDATE_SL" }]) }],
    ["that no text can say", { mode: "m".repeat(300) }],
  ])("%s is not signed", (_, over) => {
    expect(signedOf(P33, "p33", planOf(over))).toBeUndefined();
  });

  it("keeps its other fields, and a denial all of them", () => {
    const granted = signer("p33")({ ...grant("fine", P33), told: { a: "b" } }, planOf(), ATTEMPT);
    expect(granted).toMatchObject({ verdict: "granted", reason: "fine", permit: P33, told: { a: "b" } });
    const denied = deny("no_position", { amt: 0 });
    expect(signer("p33")(denied, planOf(), ATTEMPT)).toBe(denied);
  });
});
