/**
 * Creates and replaces keys. A public key is listed before its private key is in use, so an issuer never signs with a
 * key that verifiers do not know.
 */
import { randomUUID } from "node:crypto";
import { link, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createKeyPair } from "./ed25519.ts";
import { ISSUER_NAME, IssuerKeys } from "./issuer-keys.ts";
import { KeyFileError, loadIssuerKeys, loadSigningKey } from "./key-files.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";
import type { Signer } from "./signer.ts";

/** Where an issuer's key is. */
export interface KeyPlace {
  issuer: string;
  privateFile: string;
  /** Lists the public keys of all issuers; created if missing. */
  publicFile: string;
}

const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/**
 * Creates an issuer's first key.
 * @throws {@link KeyFileError} if it has one, because nothing is overwritten
 */
export async function newKey(place: KeyPlace): Promise<Signer> {
  if (await exists(place.privateFile))
    throw new KeyFileError(place.privateFile, "exists, and is not overwritten");
  return provideKey(place);
}

/** Creates the issuer's key if it is missing, and lists it if it is not listed. Safe to repeat. */
export async function provideKey({ issuer, privateFile, publicFile }: KeyPlace): Promise<Signer> {
  if (!ISSUER_NAME.test(issuer))
    throw new RangeError(`${JSON.stringify(issuer)} is no issuer's name: ${ISSUER_NAME.source}`);
  if (!(await exists(privateFile))) await writeNew(privateFile, createKeyPair().privateKey, PRIVATE_MODE);
  const signer = await loadSigningKey(privateFile);
  await changeListing(publicFile, (listing) => {
    const keys = listing.get(issuer) ?? new Map<string, string>();
    listing.set(issuer, keys.set(signer.kid, signer.publicKey));
  });
  return signer;
}

/** Creates an empty list of public keys if it is missing, because a verifier may exist before its issuers. */
export async function providePublicKeys(file: string): Promise<void> {
  if (!(await exists(file))) await changeListing(file, () => undefined);
}

/**
 * Replaces an issuer's key. The new public key is listed at once. The new private key replaces the old one when
 * `noticed` resolves, after verifiers have read the list. Old public keys stay listed. Continues an interrupted
 * replacement.
 */
export async function replaceKey(
  place: KeyPlace,
  noticed: () => Promise<void>,
): Promise<{ before: Signer; after: Signer }> {
  const { privateFile } = place;
  const before = await loadSigningKey(privateFile);
  const next = `${privateFile}.next`;
  const after = await provideKey({ ...place, privateFile: next });
  await noticed();
  await rename(next, privateFile);
  await syncFolder(dirname(privateFile));
  return { before, after };
}

/**
 * Removes a public key from the list. From then on, permits signed with it count as forged.
 * @returns how many keys of the issuer are left
 */
export async function retireKey({ issuer, privateFile, publicFile }: KeyPlace, kid: string): Promise<number> {
  if ((await exists(privateFile)) && (await loadSigningKey(privateFile)).kid === kid)
    throw new KeyFileError(privateFile, `holds key ${kid}, with which ${issuer} signs: replace it first`);
  let left = 0;
  await changeListing(publicFile, (listing) => {
    const keys = listing.get(issuer);
    if (keys?.delete(kid) !== true) throw new KeyFileError(publicFile, `lists no key ${kid} of ${issuer}`);
    left = keys.size;
  });
  return left;
}

type Listing = Map<string, Map<string, string>>;

async function changeListing(file: string, change: (listing: Listing) => void): Promise<void> {
  await replaceFile(file, {
    // Services read it as other users.
    mode: PUBLIC_MODE,
    errorOf: (about, flaw) => new KeyFileError(about, flaw),
    text: async () => {
      const before = (await exists(file)) ? (await loadIssuerKeys(file)).listed : new Map<string, never>();
      const listing: Listing = new Map([...before].map(([issuer, keys]) => [issuer, new Map(keys)]));
      change(listing);
      const keys = IssuerKeys.of(listing);
      if ("flaws" in keys) throw new KeyFileError(file, keys.flaws.join("; "));
      const json = Object.fromEntries([...listing].map(([issuer, own]) => [issuer, Object.fromEntries(own)]));
      return `${JSON.stringify(json, null, 2)}\n`;
    },
  });
}

/** Whole or not at all, also after a crash, and never over another file. */
async function writeNew(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  const refuse = (error: NodeJS.ErrnoException) => {
    throw new KeyFileError(file, `cannot be written: ${error.code}`);
  };
  const handle = await open(draft, "wx", mode).catch(refuse);
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
    await link(draft, file).catch(refuse);
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
  await syncFolder(dirname(file));
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw new KeyFileError(file, `cannot be read: ${error.code}`);
    },
  );
}
