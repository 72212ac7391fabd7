import * as fc from "fast-check";
import { inspect } from "node:util";
import { parseSignedPermit, type PermitClaims } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import { createKeyPair, type KeyPair, readPrivateKey } from "./ed25519.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { Signer } from "./signer.ts";
import { verifyPermit } from "./verify-permit.ts";

const CLAIMS: Omit<PermitClaims, "kid"> = {
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

function signerOf({ privateKey }: KeyPair): Signer {
  const key = readPrivateKey(privateKey);
  if ("flaw" in key) throw new Error(key.flaw);
  return new Signer(key);
}

function keysOf(listed: Record<string, readonly KeyPair[]>): IssuerKeys {
  const keys = IssuerKeys.of(
    new Map(
      Object.entries(listed).map(([issuer, pairs]) => [
        issuer,
        new Map(pairs.map(({ kid, publicKey }) => [kid, publicKey])),
      ]),
    ),
  );
  if ("flaws" in keys) throw new Error(keys.flaws.join());
  return keys;
}

const [p33, older, governor, stranger] = [createKeyPair(), createKeyPair(), createKeyPair(), createKeyPair()];
const KEYS = keysOf({ p33: [older, p33], governor: [governor] });
const TEXT = signerOf(p33).sign(CLAIMS);

const forged = (why: string | RegExp) => ({
  flaw: "forged",
  why: typeof why === "string" ? why : expect.stringMatching(why),
});

describe("a permit that its issuer signed", () => {
  it("says what was signed, and with which key", () => {
    expect(verifyPermit(TEXT, KEYS)).toEqual({ claims: { ...CLAIMS, kid: p33.kid } });
  });

  it("counts under each of the issuer's keys", () => {
    expect(verifyPermit(signerOf(older).sign(CLAIMS), KEYS)).toMatchObject({ claims: { kid: older.kid } });
  });

  it("is the same text each time", () => {
    expect(signerOf(p33).sign(CLAIMS)).toBe(TEXT);
  });

  it("counts for any symbol that a text can hold", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 10, unit: "grapheme" }), (symbol) => {
        const verified = verifyPermit(signerOf(p33).sign({ ...CLAIMS, symbol }), KEYS);
        expect(verified).toMatchObject({ claims: { symbol } });
      }),
    );
  });
});

describe("two lists of keys", () => {
  it("tell which keys they share, and how many each has", () => {
    const operators = keysOf({ alice: [stranger, older], bob: [governor] });
    expect(KEYS.sharedWith(operators)).toEqual([
      { kid: older.kid, owner: "p33", other: "alice" },
      { kid: governor.kid, owner: "governor", other: "bob" },
    ]);
    expect(KEYS.sharedWith(keysOf({ alice: [stranger] }))).toEqual([]);
    expect([KEYS.count, operators.count, IssuerKeys.NONE.count]).toEqual([3, 3, 0]);
  });
});

describe("a permit that counts as forged", () => {
  it("differs in one bit, anywhere", () => {
    fc.assert(
      fc.property(fc.nat({ max: TEXT.length - 1 }), fc.nat({ max: 6 }), (at, bit) => {
        const changed =
          TEXT.slice(0, at) + String.fromCharCode(TEXT.charCodeAt(at) ^ (1 << bit)) + TEXT.slice(at + 1);
        expect(verifyPermit(changed, KEYS)).toMatchObject({ flaw: "forged" });
      }),
    );
  });

  it("lacks, repeats or adds a character, anywhere", () => {
    fc.assert(
      fc.property(fc.nat({ max: TEXT.length - 1 }), fc.constantFrom("", ";", "0", "é", "\n"), (at, added) => {
        const changed = TEXT.slice(0, at) + added + TEXT.slice(at + (added === "" ? 1 : 0));
        expect(verifyPermit(changed, KEYS)).toMatchObject({ flaw: "forged" });
      }),
    );
  });

  const { body = "", signature = "" } = parseSignedPermit(TEXT) as { body?: string; signature?: string };
  const changedTo = (from: string, to: string) => TEXT.replace(from, to);

  it.each([
    ["more than was granted", changedTo("safe_qty=0.75", "safe_qty=7.75")],
    ["another mode", changedTo("mode=paper", "mode=testnet")],
    ["another plan", changedTo("plan=0123456789abcdef", "plan=1123456789abcdef")],
    ["a later end", changedTo("until_ms=1700000090001", "until_ms=1800000090001")],
    ["another signature", `${body};sig=${parseSignature(signerOf(p33).sign({ ...CLAIMS, pct: "50" }))}`],
    ["a stranger's signature", `${body};sig=${parseSignature(signerOf(stranger).sign(CLAIMS))}`],
    ["no signature", `${body};sig=${"A".repeat(86)}`],
    ["its signature written in another way", `${body};sig=${alike(signature)}`],
  ])("has %s", (_, text) => {
    expect(verifyPermit(text, KEYS)).toEqual(forged(`the signature is not that of p33's key ${p33.kid}`));
  });

  it("names a key that nobody has", () => {
    expect(verifyPermit(signerOf(stranger).sign(CLAIMS), KEYS)).toEqual(
      forged(`p33 has no key ${stranger.kid}`),
    );
  });

  it("is signed with another issuer's key", () => {
    expect(verifyPermit(signerOf(governor).sign(CLAIMS), KEYS)).toEqual(
      forged(`key ${governor.kid} is one of governor, not of p33`),
    );
  });

  it.each(["p26", "constructor", "proto"])("is of an issuer without keys: %s", (issuer) => {
    expect(verifyPermit(signerOf(stranger).sign({ ...CLAIMS, issuer }), KEYS)).toEqual(
      forged(`no key of ${issuer} is known`),
    );
  });

  it.each(["true", "v=1", " ", "v=2;kid=0", "x".repeat(100_000)])("cannot be read: %.20j", (text) => {
    expect(verifyPermit(text, KEYS)).toEqual(forged(/^its signed text /));
  });
});

it("counts a permit without a text as unsigned, which is another matter", () => {
  expect(verifyPermit("", KEYS)).toEqual({ flaw: "unsigned", why: "it has no signed text" });
});

it("refuses to sign what would be read as something else", () => {
  expect(() => signerOf(p33).sign({ ...CLAIMS, pct: "75;pct=100" })).toThrow(RangeError);
});

it("shows nothing of the private key, however a signer is printed", () => {
  const signer = signerOf(p33);
  const secret = p33.privateKey.split("\n")[1] ?? "";
  expect(secret.length).toBeGreaterThan(40);
  const printed = [inspect(signer, { depth: 9, showHidden: true }), JSON.stringify(signer)];
  for (const text of printed) expect(text).not.toContain(secret.slice(-40));
  expect(JSON.parse(printed[1] ?? "")).toEqual({ kid: p33.kid, publicKey: p33.publicKey });
});

function parseSignature(text: string): string {
  return text.slice(text.lastIndexOf("=") + 1);
}

/** Changes the padding bits of the last digit. Decoders read the same bytes. */
function alike(signature: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = digits.indexOf(signature.at(-1) ?? "");
  return signature.slice(0, -1) + (digits[last + 1] ?? "");
}
