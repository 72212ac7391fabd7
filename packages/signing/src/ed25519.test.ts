import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createKeyPair,
  isSignature,
  keyIdOf,
  publicKeyOf,
  readPrivateKey,
  readPublicKey,
  signBytes,
} from "./ed25519.ts";

/** RFC 8032, 7.1: TEST 1, TEST 2, TEST 3, TEST SHA(abc). */
const VECTORS = [
  {
    secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    secret: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
  {
    secret: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    publicKey: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf2",
    message:
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    signature:
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
  },
];
/** What precedes the secret's 32 bytes in PKCS #8 (RFC 8410). */
const PKCS8 = "302e020100300506032b657004220420";
/** The prime of the field. */
const P = 2n ** 255n - 19n;
/** The order of the group: S and S + L would be signatures of the same message. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const base64url = (hex: string) => Buffer.from(hex, "hex").toString("base64url");
const pemOf = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString("base64")}\n-----END ${label}-----\n`;

function usable<Key extends object>(key: Key | { flaw: string }): Key {
  if ("flaw" in key) throw new Error(key.flaw);
  return key;
}
const privateOf = (secret: string) =>
  usable(readPrivateKey(pemOf("PRIVATE KEY", Buffer.from(PKCS8 + secret, "hex"))));
const publicOf = (text: string) => usable(readPublicKey(text));

describe("the vectors of RFC 8032", () => {
  it.each(VECTORS)("hold for the message 0x$message", ({ secret, publicKey, message, signature }) => {
    const bytes = Buffer.from(message, "hex");
    const privateKey = privateOf(secret);
    expect(publicKeyOf(privateKey)).toBe(base64url(publicKey));
    expect(signBytes(bytes, privateKey)).toBe(base64url(signature));
    expect(isSignature(base64url(signature), bytes, publicOf(base64url(publicKey)))).toBe(true);
  });
});

describe("a signature", () => {
  const pair = createKeyPair();
  const privateKey = usable(readPrivateKey(pair.privateKey));
  const publicKey = publicOf(pair.publicKey);
  const bytes = Buffer.from("v=1;what an issuer says");
  const signature = signBytes(bytes, privateKey);

  it("is that of no other bytes: one flipped bit is enough", () => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(isSignature(signature, changed, publicKey)).toBe(false);
      }),
    );
  });

  it("counts only whole: one flipped bit is enough", () => {
    fc.assert(
      fc.property(fc.nat({ max: 63 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = Buffer.from(signature, "base64url");
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(isSignature(changed.toString("base64url"), bytes, publicKey)).toBe(false);
      }),
    );
  });

  it("is that of no other key", () => {
    expect(isSignature(signature, bytes, publicOf(createKeyPair().publicKey))).toBe(false);
  });

  it("cannot be written in another way", () => {
    const last = signature.at(-1) ?? "";
    const raw = Buffer.from(signature, "base64url");
    // Four of the last digit's six bits are padding, and decoders accept any.
    const others = ["A", "B", "C", "Q", "R", "g", "h", "w", "x", "_"]
      .filter((digit) => digit !== last)
      .map((digit) => signature.slice(0, -1) + digit);
    const alike = others.filter((text) => Buffer.from(text, "base64url").equals(raw));
    expect(alike.length).toBeGreaterThan(0);
    const written = [
      raw.toString("base64"),
      `${signature}==`,
      `${signature}\n`,
      ` ${signature}`,
      raw.toString("hex"),
    ];
    for (const text of [...alike, ...written]) expect(isSignature(text, bytes, publicKey)).toBe(false);
  });

  it("has one S: S + L is refused", () => {
    const raw = Buffer.from(signature, "base64url");
    const s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString("hex")}`) + L;
    const other = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
    const text = Buffer.concat([raw.subarray(0, 32), other]).toString("base64url");
    expect(isSignature(text, bytes, publicKey)).toBe(false);
  });

  it.each(["", "AAAA", "A".repeat(86), "A".repeat(87), "not base64url"])("is not %j", (text) => {
    expect(isSignature(text, bytes, publicKey)).toBe(false);
  });
});

describe("a key", () => {
  it("is another one each time, with an id of its public half", () => {
    const [one, another] = [createKeyPair(), createKeyPair()];
    expect(one.publicKey).not.toBe(another.publicKey);
    expect(one.kid).toMatch(/^[0-9a-f]{16}$/);
    expect(one.kid).toBe(keyIdOf(one.publicKey));
    expect(publicKeyOf(usable(readPrivateKey(one.privateKey)))).toBe(one.publicKey);
  });

  it("has the id that others compute", () => {
    // printf d75a9801… | xxd -r -p | sha256sum
    expect(keyIdOf(base64url(VECTORS[0]?.publicKey ?? ""))).toBe("21fe31dfa154a261");
  });

  it("that is private is an unencrypted PKCS #8 of Ed25519, alone in its PEM", () => {
    const { privateKey: pem } = createKeyPair();
    const flaw = { flaw: expect.stringMatching(/^is no PEM file with one unencrypted private key/) };
    expect(readPrivateKey(pem.replaceAll("\n", "\r\n"))).not.toHaveProperty("flaw");
    expect(readPrivateKey("")).toEqual(flaw);
    expect(readPrivateKey(pem + pem)).toEqual(flaw);
    expect(readPrivateKey(`a note\n${pem}`)).toEqual(flaw);
    expect(readPrivateKey(pem.replaceAll("PRIVATE", "OPENSSH PRIVATE"))).toEqual(flaw);
    expect(readPrivateKey(pem.replaceAll("PRIVATE", "ENCRYPTED PRIVATE"))).toEqual(flaw);
    expect(readPrivateKey(pem.replaceAll("PRIVATE", "PUBLIC"))).toEqual(flaw);
    expect(readPrivateKey(Buffer.from(PKCS8 + VECTORS[0]?.secret, "hex").toString("latin1"))).toEqual(flaw);
    const damaged = pemOf("PRIVATE KEY", Buffer.from(PKCS8, "hex"));
    expect(readPrivateKey(damaged)).toEqual({ flaw: "holds a damaged private key" });
  });

  it("that is private is of no other algorithm", () => {
    // The same bytes for X25519, whose identifier differs in one digit.
    const x25519 = Buffer.from(PKCS8.replace("2b6570", "2b656e") + VECTORS[0]?.secret, "hex");
    expect(readPrivateKey(pemOf("PRIVATE KEY", x25519))).toEqual({
      flaw: "holds a private key of type x25519, not ed25519",
    });
  });

  it.each(["", "AAAA", `${"A".repeat(43)}=`, `${createKeyPair().publicKey}\n`, "B".repeat(43)])(
    "that is public is not %j",
    (text) => {
      expect(readPublicKey(text)).toEqual({ flaw: "is not base64url of 32 bytes" });
    },
  );
});

describe("a public key under which anybody can sign", () => {
  const POINTS = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];

  it.each(POINTS)("%s is refused, with either sign", (hex) => {
    const negative = Buffer.from(hex, "hex");
    negative[31] = (negative[31] ?? 0) | 0x80;
    for (const bytes of [Buffer.from(hex, "hex"), negative])
      expect(readPublicKey(bytes.toString("base64url"))).toEqual({
        flaw: "is a key under which anybody can sign",
      });
  });

  it.each(POINTS)("%s is one indeed: eight times it is the neutral point", (hex) => {
    const y = BigInt(`0x${Buffer.from(hex, "hex").reverse().toString("hex")}`);
    expect(doubled(doubled(doubled(y % P)))).toBe(1n);
  });

  it("is not the base point", () => {
    expect(doubled(doubled(doubled(4n * inverse(5n))))).not.toBe(1n);
  });
});

/** The y of the point's double, on -x² + y² = 1 + dx²y²; its x does not matter. */
function doubled(y: bigint): bigint {
  const d = -121_665n * inverse(121_666n);
  const yy = (y * y) % P;
  const xx = (yy - 1n) * inverse(d * yy + 1n);
  return mod((yy + xx) * inverse(1n - d * xx * yy));
}

function inverse(value: bigint): bigint {
  let [result, base] = [1n, mod(value)];
  for (let exponent = P - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent % 2n === 1n) result = (result * base) % P;
    base = (base * base) % P;
  }
  return result;
}

function mod(value: bigint): bigint {
  return ((value % P) + P) % P;
}
