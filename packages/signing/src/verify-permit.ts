/** Verifies that an issuer signed a permit's text. Others decide whether the issuer may, and for which plan. */
import { parseSignedPermit, type PermitClaims } from "@quantum/contract";
import { isSignature } from "./ed25519.ts";
import type { IssuerKeys } from "./issuer-keys.ts";

export type Verified =
  | { claims: PermitClaims }
  /** `why`: part of a sentence, for people. */
  | { flaw: "unsigned" | "forged"; why: string };

/** @param text a permit's field `signed`; empty if missing */
export function verifyPermit(text: string, keys: IssuerKeys): Verified {
  if (text === "") return { flaw: "unsigned", why: "it has no signed text" };
  const forged = (why: string): Verified => ({ flaw: "forged", why });
  const permit = parseSignedPermit(text);
  if ("flaw" in permit) return forged(`its signed text ${permit.flaw}`);
  const { claims, body, signature } = permit;
  const key = keys.find(claims.issuer, claims.kid);
  if ("flaw" in key) return forged(key.flaw);
  if (!isSignature(signature, Buffer.from(body), key))
    return forged(`the signature is not that of ${claims.issuer}'s key ${claims.kid}`);
  return { claims };
}
