/**
 * Creates missing keys where neither permitctl nor a checkout is available. The installer and docker-compose.yml run
 * it.
 *
 *   node provide-keys.ts PUBLIC_FILE [ISSUER=PRIVATE_FILE …]
 *
 * Without issuers it makes an empty list if there is none, as for operators, whose keys are made on their own machines.
 * Prints nothing. If a key cannot be created, it exits with code 1 and the reason on stderr.
 */
import { provideKey, providePublicKeys } from "./key-folder.ts";

const [publicFile, ...places] = process.argv.slice(2);
if (publicFile === undefined) throw new Error("the file of public keys is needed");
await providePublicKeys(publicFile);
for (const place of places) {
  const [, issuer = "", privateFile = ""] = /^([^=]+)=(.+)$/.exec(place) ?? [];
  await provideKey({ issuer, privateFile, publicFile });
}
