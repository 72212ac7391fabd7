/** Bugs in keys and signatures. */
import type { Mutant } from "./mutant.ts";

export const KEY_MUTANTS: readonly Mutant[] = [
  {
    bug: "a permit counts whatever its signature is",
    edits: [
      {
        file: "packages/signing/src/verify-permit.ts",
        find: "if (!isSignature(signature, Buffer.from(body), key))",
        replace: "if (signature === body)",
      },
    ],
    test: "packages/signing/src/verify-permit.test.ts",
  },
  {
    bug: "the key of one issuer signs for every issuer",
    edits: [
      {
        file: "packages/signing/src/issuer-keys.ts",
        find: "const key = this.#keys.get(issuer)?.get(kid);",
        replace: "const key = [...this.#keys.values()].find((keys) => keys.has(kid))?.get(kid);",
      },
    ],
    test: "packages/signing/src/verify-permit.test.ts",
  },
  {
    bug: "a signature that is written in another way counts, too",
    edits: [
      {
        file: "packages/signing/src/ed25519.ts",
        find: 'bytes.length === count && bytes.toString("base64url") === text',
        replace: "bytes.length === count",
      },
    ],
    test: "packages/signing/src/verify-permit.test.ts",
  },
  {
    bug: "one key is listed for two issuers",
    edits: [
      {
        file: "packages/signing/src/issuer-keys.ts",
        find: "else if (owner !== undefined)",
        replace: "else if (owner === issuer)",
      },
    ],
    test: "packages/signing/src/issuer-keys.test.ts",
  },
  {
    bug: "a private key that others can read is used",
    edits: [
      {
        file: "packages/signing/src/key-files.ts",
        find: "const FOR_OTHERS = 0o007;",
        replace: "const FOR_OTHERS = 0o003;",
      },
    ],
    test: "packages/signing/src/key-files.test.ts",
  },
  {
    bug: "an issuer signs with its new key before the executor has been told of it",
    edits: [
      {
        file: "packages/signing/src/key-folder.ts",
        find: "  await noticed();\n  await rename(next, privateFile);",
        replace: "  await rename(next, privateFile);\n  await noticed();",
      },
    ],
    test: "packages/signing/src/key-folder.test.ts",
  },
  {
    bug: "the key with which an issuer signs is taken off the list",
    edits: [
      {
        file: "packages/signing/src/key-folder.ts",
        find: "(await loadSigningKey(privateFile)).kid === kid",
        replace: "(await loadSigningKey(privateFile)).kid !== kid",
      },
    ],
    test: "packages/signing/src/key-folder.test.ts",
  },
  {
    bug: "a service is ready although its new key cannot be used",
    edits: [
      {
        file: "packages/service-kit/src/followed-file.ts",
        find: "      problem = found;\n",
        replace: "",
      },
    ],
    test: "packages/service-kit/src/followed-file.test.ts",
  },
];
