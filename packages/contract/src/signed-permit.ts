/**
 * The text that an issuer signs when it grants, and an operator who closes: one ASCII line that says what is granted, to which attempt, where and
 * until when. It is stored as one field, `signed`, and is parsed but never rebuilt, so a verifier checks exactly the
 * signed bytes. Source: docs/wire.md, "Signed permits".
 */
import { PERMIT_CLASSES, type PermitClass } from "./exit.ts";

/** The content of a signed permit. All values are text; quantities are decimals without an exponent. */
export interface PermitClaims {
  /** Key id: the first 16 hex digits of the SHA-256 of the raw public key. */
  kid: string;
  /** The name of the service, or of the operator. */
  issuer: string;
  /** Whose keys count. */
  class: PermitClass;
  mode: string;
  venue: string;
  account: string;
  /** Plan id. */
  plan: string;
  /** Id of the `apply.plan` entry; of an operator's plan `0-0`, because it is signed before that entry exists. */
  attempt: string;
  symbol: string;
  /** The order's side. Like the next two quantities, only set by the quantity's issuer. */
  side: "BUY" | "SELL" | "";
  step: string;
  /** Share of the position to close, in percent. */
  pct: string;
  /** The quantity that may be closed safely, in coins. */
  safe_qty: string;
  /** The position from which it was computed, signed, in coins. */
  position: string;
  /** The issuer's cap on the order, in coins; empty if none. */
  computed_qty: string;
  /** By Redis's clock, in ms. */
  issued_ms: string;
  /** By Redis's clock, in ms. The permit is worthless after this time. */
  until_ms: string;
}

export interface SignedPermit {
  claims: PermitClaims;
  /** The signed bytes. */
  body: string;
  /** base64url without padding. */
  signature: string;
}

const VERSION = "v=1";
/** No permit is longer. A longer text is rejected unread. */
const LENGTH_MAX = 1_024;
const DECIMAL = /^\d{1,40}(\.\d{1,40})?$/;
const MS = /^[1-9]\d{0,14}$/;
/** A name, percent-encoded like encodeURIComponent does. */
const NAME = /^[\w.!~*'()%-]{1,200}$/;
/** 32 letters of four bytes each. */
const ENCODED_SYMBOL = /^[\w%.!~*'()-]{1,384}$/;

const orEmpty = (rule: RegExp) => new RegExp(`${rule.source}|^$`);

/** In the order of the text. */
const RULES: Readonly<Record<keyof PermitClaims, RegExp>> = {
  kid: /^[0-9a-f]{16}$/,
  issuer: /^[a-z][a-z0-9_]{0,31}$/,
  class: new RegExp(`^(${PERMIT_CLASSES.join("|")})$`),
  mode: NAME,
  venue: NAME,
  account: NAME,
  plan: /^[0-9a-f]{16}$/,
  attempt: /^\d{1,20}-\d{1,20}$/,
  symbol: ENCODED_SYMBOL,
  side: /^(BUY|SELL)?$/,
  step: NAME,
  pct: DECIMAL,
  safe_qty: orEmpty(DECIMAL),
  position: orEmpty(/^-?\d{1,40}(\.\d{1,40})?$/),
  computed_qty: orEmpty(DECIMAL),
  issued_ms: MS,
  until_ms: MS,
};
const NAMES = Object.keys(RULES) as (keyof PermitClaims)[];
const ENCODED: ReadonlySet<keyof PermitClaims> = new Set(["mode", "venue", "account", "symbol", "step"]);
/** 64 bytes. */
const SIGNATURE = /^[A-Za-z0-9_-]{86}$/;

/**
 * The text to sign.
 * @throws RangeError if a value is not allowed in it
 */
export function permitBody(claims: PermitClaims): string {
  const fields = NAMES.map((name) => {
    const value = ENCODED.has(name) ? encodeURIComponent(claims[name].toWellFormed()) : claims[name];
    if (!RULES[name].test(value))
      throw new RangeError(`a permit cannot say ${name}=${JSON.stringify(claims[name])}`);
    return `${name}=${value}`;
  });
  return [VERSION, ...fields].join(";");
}

/** The field `signed`. */
export function signedText(body: string, signature: string): string {
  return `${body};sig=${signature}`;
}

/** Parses a field `signed`, or says why it cannot be read. Does not verify the signature. */
export function parseSignedPermit(text: string): SignedPermit | { flaw: string } {
  if (text.length > LENGTH_MAX) return { flaw: `longer than ${LENGTH_MAX} characters` };
  const parts = text.split(";");
  if (parts[0] !== VERSION) return { flaw: `does not begin with ${VERSION}` };
  if (parts.length !== NAMES.length + 2)
    return { flaw: `has ${parts.length} fields, not ${NAMES.length + 2}` };
  const claims: Partial<Record<keyof PermitClaims, string>> = {};
  for (const [index, name] of NAMES.entries()) {
    const value = valueOf(name, parts[index + 1] ?? "");
    if (value === undefined) return { flaw: `${name} is not as it should be` };
    claims[name] = value;
  }
  const [, signature = ""] = /^sig=(.*)$/s.exec(parts.at(-1) ?? "") ?? [];
  if (!SIGNATURE.test(signature)) return { flaw: "sig is not as it should be" };
  return { claims: claims as unknown as PermitClaims, body: text.slice(0, text.lastIndexOf(";")), signature };
}

/** A value that has its name in front, matches its rule and, if it is encoded, has the one valid encoding. */
function valueOf(name: keyof PermitClaims, part: string): string | undefined {
  if (!part.startsWith(`${name}=`)) return undefined;
  const value = part.slice(name.length + 1);
  if (!RULES[name].test(value)) return undefined;
  if (!ENCODED.has(name)) return value;
  try {
    const decoded = decodeURIComponent(value);
    return encodeURIComponent(decoded) === value ? decoded : undefined;
  } catch {
    return undefined;
  }
}
