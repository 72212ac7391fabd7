/** The issuers' keys and signatures. Only this package imports node:crypto's functions for keys and signatures. */
export { createKeyPair, keyIdOf, type KeyPair } from "./ed25519.ts";
export { IssuerKeys } from "./issuer-keys.ts";
export { KeyFileError, loadIssuerKeys, loadSigningKey } from "./key-files.ts";
export { newKey, provideKey, replaceKey, retireKey } from "./key-folder.ts";
export { replaceFile } from "./replace-file.ts";
export { Signer } from "./signer.ts";
export { type Verified, verifyPermit } from "./verify-permit.ts";
