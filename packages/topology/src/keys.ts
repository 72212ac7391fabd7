/** Where the keys of issuers are, and which variables say so. */
import type { Row } from "./row.ts";

/** In a folder of keys: the public keys of all issuers. */
export const PUBLIC_KEYS_FILE = "issuers.json";

/** In a folder of keys: the issuer's private key. */
export function privateKeyFile(issuer: string): string {
  return `${issuer}.pem`;
}

/** Names the file of the issuer's private key. */
export function signingKeyVariable({ envPrefixes: [prefix = ""] }: Pick<Row, "envPrefixes">): string {
  return `${prefix}SIGNING_KEY_FILE`;
}

/** The variables of a service that name files of keys, with the files. */
export function keyVariablesOf(row: Row): [variable: string, file: string][] {
  return [
    ...(row.issuer === undefined
      ? []
      : [[signingKeyVariable(row), privateKeyFile(row.issuer.name)] satisfies [string, string]]),
    ...(row.publicKeysVariable === undefined
      ? []
      : [[row.publicKeysVariable, PUBLIC_KEYS_FILE] satisfies [string, string]]),
  ];
}
