import { describe, expect, it } from "vitest";
import { createKeyPair } from "./ed25519.ts";
import { IssuerKeys } from "./issuer-keys.ts";

const [a, b] = [createKeyPair(), createKeyPair()];
const read = (listed: unknown) => IssuerKeys.read(JSON.stringify(listed));

describe("a list of public keys", () => {
  it("holds several keys of an issuer", () => {
    const keys = read({ governor: { [a.kid]: a.publicKey, [b.kid]: b.publicKey }, p33: {} });
    if ("flaws" in keys) throw new Error(keys.flaws.join());
    expect(keys.find("governor", a.kid)).not.toHaveProperty("flaw");
    expect(keys.find("governor", b.kid)).not.toHaveProperty("flaw");
    expect([keys.has("governor"), keys.has("p33"), keys.has("constructor")]).toEqual([true, false, false]);
    expect(keys.find("p33", a.kid)).toEqual({ flaw: `key ${a.kid} is one of governor, not of p33` });
  });

  it("may be empty", () => {
    expect(read({})).toBeInstanceOf(IssuerKeys);
  });

  it("tells everything that is wrong with it at once", () => {
    const zeros = "A".repeat(43);
    expect(
      read({
        "P33;": {},
        governor: { [a.kid]: a.publicKey, short: b.publicKey, "0123456789abcdef": b.publicKey },
        p26: { "0011223344556677": "no key", "8899aabbccddeeff": zeros },
        p33: { [a.kid]: a.publicKey },
      }),
    ).toEqual({
      flaws: [
        '"P33;" is no issuer\'s name',
        "governor.short: a key id is 16 lower-case hex digits",
        `governor.0123456789abcdef: the id of this key is ${b.kid}`,
        "p26.0011223344556677: is not base64url of 32 bytes",
        "p26.8899aabbccddeeff: is a key under which anybody can sign",
        `p33.${a.kid}: is a key of governor, too`,
      ],
    });
  });

  it.each(["", "{", "[]", "null", '"governor"', '{"governor":[]}', '{"governor":{"a":1}}'])(
    "is not %j",
    (text) => {
      expect(IssuerKeys.read(text)).toEqual({ flaws: [expect.any(String)] });
    },
  );
});
