import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PERMIT_CLASSES } from "./exit.ts";
import { parseSignedPermit, permitBody, type PermitClaims, signedText } from "./signed-permit.ts";

const CLAIMS: PermitClaims = {
  kid: "0123456789abcdef",
  issuer: "p33",
  class: "issuer",
  mode: "paper",
  venue: "simulated",
  account: "main",
  plan: "0123456789abcdef",
  attempt: "1700000000000-0",
  symbol: "BTCUSDT",
  side: "SELL",
  step: "CLOSE_PARTIAL_75",
  pct: "75",
  safe_qty: "0.75",
  position: "1",
  computed_qty: "",
  issued_ms: "1700000000001",
  until_ms: "1700000090001",
};
const BODY =
  "v=1;kid=0123456789abcdef;issuer=p33;class=issuer;mode=paper;venue=simulated;account=main;plan=0123456789abcdef;" +
  "attempt=1700000000000-0;symbol=BTCUSDT;side=SELL;step=CLOSE_PARTIAL_75;pct=75;safe_qty=0.75;position=1;computed_qty=;" +
  "issued_ms=1700000000001;until_ms=1700000090001";
const SIGNATURE = "A".repeat(86);

describe("a permit's text", () => {
  it("has every field in its place", () => {
    expect(permitBody(CLAIMS)).toBe(BODY);
  });

  it("is read as it was signed", () => {
    expect(parseSignedPermit(signedText(BODY, SIGNATURE))).toEqual({
      claims: CLAIMS,
      body: BODY,
      signature: SIGNATURE,
    });
  });

  it("is ASCII whatever the symbol", () => {
    const claims = { ...CLAIMS, symbol: "𐐷".repeat(32), account: "a;b=c d" };
    const body = permitBody(claims);
    expect(body).toMatch(/^[\x20-\x7E]*$/);
    expect(parseSignedPermit(signedText(body, SIGNATURE))).toMatchObject({ claims });
  });

  it.each(PERMIT_CLASSES)("may be of the class %s", (permitClass) => {
    const claims = { ...CLAIMS, class: permitClass };
    expect(parseSignedPermit(signedText(permitBody(claims), SIGNATURE))).toMatchObject({ claims });
  });

  it("comes back whole", () => {
    const name = fc.string({ minLength: 1, maxLength: 4, unit: "grapheme" });
    fc.assert(
      fc.property(name, name, name, (symbol, account, venue) => {
        const claims = { ...CLAIMS, symbol, account, venue };
        expect(parseSignedPermit(signedText(permitBody(claims), SIGNATURE))).toMatchObject({ claims });
      }),
    );
  });

  it("means one thing only: what is read makes the same bytes again", () => {
    const texts = fc.constantFrom(";", "=", "%", " ", "\n", "é", "v");
    fc.assert(
      fc.property(fc.nat({ max: BODY.length }), texts, (at, text) => {
        const changed = signedText(BODY.slice(0, at) + text + BODY.slice(at), SIGNATURE);
        const read = parseSignedPermit(changed);
        const again = "claims" in read ? signedText(permitBody(read.claims), read.signature) : changed;
        expect(again).toBe(changed);
      }),
    );
  });

  it.each([
    ["another version", BODY.replace("v=1", "v=2")],
    ["a field too many", `${BODY};mode=testnet`],
    ["a field too few", BODY.replace(";side=SELL", "")],
    ["fields in another order", BODY.replace("mode=paper;venue=simulated", "venue=simulated;mode=paper")],
    ["a field twice", BODY.replace("venue=simulated", "mode=testnet")],
    ["a number in another form", BODY.replace("pct=75", "pct=7.5e1")],
    ["a negative quantity", BODY.replace("safe_qty=0.75", "safe_qty=-0.75")],
    ["a name that need not be encoded", BODY.replace("BTCUSDT", "%42TCUSDT")],
    ["lower-case escapes", BODY.replace("BTCUSDT", "%e5%b8%81")],
    ["a broken escape", BODY.replace("BTCUSDT", "%E5%B8")],
    ["a line break", BODY.replace("BTCUSDT", "BTC\nUSDT")],
    ["a class that nobody may sign", BODY.replace("class=issuer", "class=admin")],
    ["an empty symbol", BODY.replace("BTCUSDT", "")],
    ["a time that begins with 0", BODY.replace("issued_ms=1", "issued_ms=01")],
    ["10 kB", BODY.replace("BTCUSDT", "B".repeat(10_000))],
  ])("refuses %s", (_, body) => {
    expect(parseSignedPermit(signedText(body, SIGNATURE))).toEqual({ flaw: expect.any(String) });
  });

  it.each(["", "A".repeat(85), "A".repeat(87), `${"A".repeat(85)}=`, `${"A".repeat(85)}\n`])(
    "refuses the signature %j",
    (signature) => {
      expect(parseSignedPermit(signedText(BODY, signature))).toEqual({ flaw: expect.any(String) });
    },
  );

  it.each([
    ["side", "LONG"],
    ["safe_qty", "1e3"],
    ["symbol", ""],
    ["mode", "m".repeat(201)],
    ["plan", "0123"],
  ] as const)("cannot say %s=%j", (field, value) => {
    expect(() => permitBody({ ...CLAIMS, [field]: value })).toThrow(RangeError);
  });
});
