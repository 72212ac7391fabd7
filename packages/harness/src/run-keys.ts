/** The keys of one run: every issuer of the topology signs, an operator can, and the executor verifies. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { provideKey } from "@quantum/signing";
import {
  OPERATOR_KEYS_FILE,
  operatorKeyFile,
  privateKeyFile,
  PUBLIC_KEYS_FILE,
  SERVICES,
} from "@quantum/topology";

/** Accessible to its owner only. */
const FOLDER_MODE = 0o700;

/** The operator of a run, who has the only enrolled key. */
export const RUN_OPERATOR = "local";

/** @returns the folder, in the form that `Place` takes */
export async function makeRunKeys(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  for (const { issuer } of SERVICES) if (issuer !== undefined) await addRunKey(folder, issuer.name);
  await addRunOperator(folder, RUN_OPERATOR);
  return folder;
}

/** Adds the key of an issuer that is not in the topology. */
export async function addRunKey(folder: string, issuer: string): Promise<void> {
  const privateFile = join(folder, privateKeyFile(issuer));
  await provideKey({ issuer, privateFile, publicFile: join(folder, PUBLIC_KEYS_FILE) });
}

/** Enrols an operator. @returns the file of the private key */
export async function addRunOperator(folder: string, operator: string): Promise<string> {
  const privateFile = join(folder, operatorKeyFile(operator));
  await provideKey({ issuer: operator, privateFile, publicFile: join(folder, OPERATOR_KEYS_FILE) });
  return privateFile;
}
