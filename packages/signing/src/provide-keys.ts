/**
 * Makes the keys that are missing, where neither permitctl nor a checkout is: the installer and docker-compose.yml run it.
 *
 *   node provide-keys.ts PUBLIC_FILE [ISSUER=PRIVATE_FILE …]
 *
 * Prints nothing; exit code 1 and the reason on stderr if a key cannot be made.
 */
import { provideKey, providePublicKeys } from "./key-folder.ts";

const [publicFile, ...places] = process.argv.slice(2);
if (publicFile === undefined) throw new Error("the file of public keys is needed");
await providePublicKeys(publicFile);
for (const place of places) {
  const [, issuer = "", privateFile = ""] = /^([^=]+)=(.+)$/.exec(place) ?? [];
  await provideKey({ issuer, privateFile, publicFile });
}
