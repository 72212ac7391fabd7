/** A private key at work. It shows its name and its public half, and nothing else: it may stand in a log. */
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
   * The field `signed` of a permit. Takes the time of one signature, and no turn of the event loop.
   * @throws RangeError if a value cannot stand in a permit
   */
  sign(claims: Omit<PermitClaims, "kid">): string {
    const body = permitBody({ ...claims, kid: this.kid });
    return signedText(body, signBytes(Buffer.from(body), this.#privateKey));
  }
}
