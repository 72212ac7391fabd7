/** A private key in use. Only shows its id and its public half, so it is safe to log. */
import type { KeyObject } from "node:crypto";
import { permitBody, type PermitClaims, signedText } from "@quantum/contract";
import { keyIdOf, publicKeyOf, signBytes } from "./ed25519.ts";

export class Signer {
  readonly kid: string;
  /** base64url of the 32 raw bytes. */
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = publicKeyOf(privateKey);
    this.kid = keyIdOf(this.publicKey);
  }

  /**
   * Returns a permit's field `signed`. Synchronous; takes the time of one signature.
   * @throws RangeError if a value is not allowed in a permit
   */
  sign(claims: Omit<PermitClaims, "kid">): string {
    const body = permitBody({ ...claims, kid: this.kid });
    return signedText(body, signBytes(Buffer.from(body), this.#privateKey));
  }
}
