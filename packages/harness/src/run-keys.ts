/** The keys of one run: every issuer of the topology signs, and the executor verifies. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { provideKey } from "@quantum/signing";
import { privateKeyFile, PUBLIC_KEYS_FILE, SERVICES } from "@quantum/topology";

/** Accessible to its owner only. */
const FOLDER_MODE = 0o700;

/** @returns the folder, in the form that `Place` takes */
export async function makeRunKeys(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  for (const { issuer } of SERVICES) if (issuer !== undefined) await addRunKey(folder, issuer.name);
  return folder;
}

/** Adds the key of an issuer that is not in the topology. */
export async function addRunKey(folder: string, issuer: string): Promise<void> {
  const privateFile = join(folder, privateKeyFile(issuer));
  await provideKey({ issuer, privateFile, publicFile: join(folder, PUBLIC_KEYS_FILE) });
}
