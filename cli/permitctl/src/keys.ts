/** `keys`: the issuers' keys in a folder. Private keys are never shown. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  KeyFileError,
  loadIssuerKeys,
  loadSigningKey,
  newKey,
  replaceKey,
  retireKey,
} from "@quantum/signing";
import { privateKeyFile, PUBLIC_KEYS_FILE } from "@quantum/topology";
import { CommandError, EXIT } from "./exit.ts";
import { table, type Terminal } from "./terminal.ts";

export interface RotateOptions {
  folder: string;
  /** A key id. */
  retire?: string;
}

/** Services check their files once a second; this allows for that and a busy machine. */
const NOTICE_MS = 3_000;

const placeOf = (issuer: string, folder: string) => ({
  issuer,
  privateFile: join(folder, privateKeyFile(issuer)),
  publicFile: join(folder, PUBLIC_KEYS_FILE),
});

export async function newKeyCommand(terminal: Terminal, issuer: string, folder: string): Promise<void> {
  const place = placeOf(issuer, folder);
  const { kid } = await orTold(() => newKey(place));
  terminal.print({ issuer, kid, private_key: place.privateFile, public_keys: place.publicFile }, [
    `${issuer} has key ${kid}.`,
    `${place.privateFile} is its private half: for ${issuer} alone.`,
    `${place.publicFile} lists its public half: for the executor.`,
  ]);
}

export async function showKeys(terminal: Terminal, file: string): Promise<void> {
  if (file.endsWith(".pem")) {
    const { kid, publicKey } = await orTold(() => loadSigningKey(file));
    terminal.print({ kid, public_key: publicKey }, [`key ${kid}, public half ${publicKey}`]);
    return;
  }
  const { listed } = await orTold(() => loadIssuerKeys(file));
  const rows = [...listed].flatMap(([issuer, keys]) =>
    [...keys].map(([kid, publicKey]) => ({ issuer, kid, public_key: publicKey })),
  );
  terminal.print(
    rows,
    table([
      ["issuer", "key id", "public key"],
      ...rows.map(({ issuer, kid, public_key: key }) => [issuer, kid, key]),
    ]),
  );
}

export async function rotateKeys(
  terminal: Terminal,
  issuer: string,
  { folder, retire }: RotateOptions,
): Promise<void> {
  const place = placeOf(issuer, folder);
  if (retire !== undefined) {
    const left = await orTold(() => retireKey(place, retire));
    terminal.print({ issuer, retired: retire, left }, [
      `${place.publicFile} lists key ${retire} of ${issuer} no more: what it signed counts as forged.`,
      ...(left === 0
        ? [`It was the last one: no permit of ${issuer} counts now, so nothing that needs one is closed.`]
        : []),
    ]);
    return;
  }
  const { before, after } = await orTold(() => replaceKey(place, () => delay(NOTICE_MS)));
  terminal.print({ issuer, kid: after.kid, before: before.kid }, [
    `${issuer} has key ${after.kid}; permits signed with ${before.kid} still count.`,
    "Under systemd, restart the executor now, then the issuer: each has a copy of its file.",
    `When no permit of the old key is under way any more: permitctl keys rotate ${issuer} --folder ${folder} --retire ${before.kid}`,
  ]);
}

async function orTold<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeyFileError) throw new CommandError(EXIT.no, error.message);
    if (error instanceof RangeError) throw new CommandError(EXIT.usage, error.message);
    throw error;
  }
}
