/** Where the keys of issuers and operators are, and which variables name their files. */
import type { Row } from "./row.ts";

/** In a folder of keys: the public keys of all issuers. */
export const PUBLIC_KEYS_FILE = "issuers.json";

/** In a folder of keys: the public keys of all operators. A file of its own, because no key may count as both. */
export const OPERATOR_KEYS_FILE = "operators.json";

/** In a folder of keys: an issuer's private key. */
export function privateKeyFile(issuer: string): string {
  return `${issuer}.pem`;
}

/** In a folder of keys: an operator's private key. */
export function operatorKeyFile(operator: string): string {
  return `operator-${operator}.pem`;
}

/** The variable that names the file of an issuer's private key. */
export function signingKeyVariable({ envPrefixes: [prefix = ""] }: Pick<Row, "envPrefixes">): string {
  return `${prefix}SIGNING_KEY_FILE`;
}

/** A service's variables that name key files, with the files. */
export function keyVariablesOf(row: Row): [variable: string, file: string][] {
  return [
    ...(row.issuer === undefined
      ? []
      : [[signingKeyVariable(row), privateKeyFile(row.issuer.name)] satisfies [string, string]]),
    ...(row.publicKeysVariable === undefined
      ? []
      : [[row.publicKeysVariable, PUBLIC_KEYS_FILE] satisfies [string, string]]),
    ...(row.operatorKeysVariable === undefined
      ? []
      : [[row.operatorKeysVariable, OPERATOR_KEYS_FILE] satisfies [string, string]]),
  ];
}
