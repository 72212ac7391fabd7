/**
 * Ed25519 (RFC 8032), with keys as text and signatures as base64url without padding. Signing is synchronous, because it
 * takes less time than a turn of the event loop.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";

export interface KeyPair {
  kid: string;
  /** base64url of the 32 raw bytes. */
  publicKey: string;
  /** PEM, PKCS #8: a secret. */
  privateKey: string;
}

const ALGORITHM = "ed25519";
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEY_ID_DIGITS = 16;
const PEM = /^-----BEGIN PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PRIVATE KEY-----\s*$/;

/**
 * The points of small order, without their sign bit: 0 and p, 1 and p + 1, -1, and the two of order 8. With such a
 * "key" anybody can make signatures that OpenSSL 3.0 accepts and 3.5 rejects. A placeholder of 32 zero bytes is one of
 * them.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);
const SIGN_BIT = 0x80;

export function createKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync(ALGORITHM);
  const publicKey = publicKeyOf(privateKey);
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return { kid: keyIdOf(publicKey), publicKey, privateKey: pem };
}

/**
 * The first 16 hex digits of the SHA-256 of the raw key.
 * @param publicKey base64url of the raw key
 */
export function keyIdOf(publicKey: string): string {
  return hash("sha256", Buffer.from(publicKey, "base64url"), "hex").slice(0, KEY_ID_DIGITS);
}

/** The public half, as base64url of the 32 raw bytes. */
export function publicKeyOf(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ format: "jwk" }).x ?? "";
}

/** @returns the key, or what is wrong, without any part of the text */
export function readPrivateKey(pem: string): KeyObject | { flaw: string } {
  if (!PEM.test(pem)) return { flaw: "is no PEM file with one unencrypted private key in PKCS #8" };
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // OpenSSL's message would not help.
    return { flaw: "holds a damaged private key" };
  }
  const { asymmetricKeyType: type } = key;
  return type === ALGORITHM ? key : { flaw: `holds a private key of type ${String(type)}, not ${ALGORITHM}` };
}

/** @param text base64url of the 32 raw bytes */
export function readPublicKey(text: string): KeyObject | { flaw: string } {
  const bytes = bytesOf(text, PUBLIC_KEY_BYTES);
  if (bytes === undefined) return { flaw: `is not base64url of ${PUBLIC_KEY_BYTES} bytes` };
  const point = Buffer.from(bytes);
  point[PUBLIC_KEY_BYTES - 1] = (point[PUBLIC_KEY_BYTES - 1] ?? 0) & ~SIGN_BIT;
  if (SMALL_ORDER.has(point.toString("hex"))) return { flaw: "is a key under which anybody can sign" };
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
}

export function signBytes(bytes: Uint8Array, privateKey: KeyObject): string {
  return sign(null, bytes, privateKey).toString("base64url");
}

/** Whether this is the key's signature of the bytes, in its one valid encoding. */
export function isSignature(signature: string, bytes: Uint8Array, publicKey: KeyObject): boolean {
  const raw = bytesOf(signature, SIGNATURE_BYTES);
  return raw !== undefined && verify(null, bytes, publicKey, raw);
}

/** Undefined unless the text is the canonical base64url of this many bytes; other texts decode to the same bytes. */
function bytesOf(text: string, count: number): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.length === count && bytes.toString("base64url") === text ? bytes : undefined;
}
