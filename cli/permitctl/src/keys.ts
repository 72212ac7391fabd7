/** `keys`: the keys of issuers and operators in a folder. Private keys are never shown. */
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
import { OPERATOR_KEYS_FILE, operatorKeyFile, privateKeyFile, PUBLIC_KEYS_FILE } from "@quantum/topology";
import { OPERATOR_NAME } from "./exit-signer.ts";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Terminal } from "./terminal.ts";

export interface KeyOptions {
  folder: string;
  /** Instead of an issuer. */
  operator?: string;
}

export interface RotateOptions extends KeyOptions {
  /** A key id. */
  retire?: string;
}

/** Services check their files once a second; this allows for that and a busy machine. */
const NOTICE_MS = 3_000;

/** Whose key it is, and where. */
function placeOf(issuer: string | undefined, { folder, operator }: KeyOptions) {
  if ((issuer === undefined) === (operator === undefined))
    throw new CommandError(EXIT.usage, "name one: an issuer, or --operator NAME");
  if (operator !== undefined && !OPERATOR_NAME.test(operator))
    throw new CommandError(
      EXIT.usage,
      `${JSON.stringify(operator)} is no operator's name: lower-case letters, digits and _, a letter first, 32 at most`,
    );
  const name = operator ?? issuer ?? "";
  const [privateName, publicName] =
    operator === undefined
      ? [privateKeyFile(name), PUBLIC_KEYS_FILE]
      : [operatorKeyFile(name), OPERATOR_KEYS_FILE];
  return { issuer: name, privateFile: join(folder, privateName), publicFile: join(folder, publicName) };
}

export async function newKeyCommand(
  terminal: Terminal,
  issuer: string | undefined,
  options: KeyOptions,
): Promise<void> {
  const place = placeOf(issuer, options);
  const { issuer: name, privateFile, publicFile } = place;
  const { kid } = await orTold(() => newKey(place));
  const whose = options.operator === undefined ? { issuer: name } : { operator: name };
  terminal.print({ ...whose, kid, private_key: privateFile, public_keys: publicFile }, [
    `${name} has key ${kid}.`,
    ...(options.operator === undefined
      ? [
          `${privateFile} is its private half: for ${name} alone.`,
          `${publicFile} lists its public half: for the executor.`,
        ]
      : [
          `${privateFile} is its private half: it stays on ${name}'s machine, best in ~/.config/permitctl, where permitctl finds it.`,
          `${publicFile} lists its public half: add the entry to the executor's file (EXECUTOR_OPERATOR_KEYS_FILE), beside those of other operators.`,
          "Then try it: permitctl flatten --drill. Two operators are needed until permitctl status says that the exit is armed.",
        ]),
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
      ["whose", "key id", "public key"],
      ...rows.map(({ issuer, kid, public_key: key }) => [issuer, kid, key]),
    ]),
  );
}

export async function rotateKeys(
  terminal: Terminal,
  issuer: string | undefined,
  options: RotateOptions,
): Promise<void> {
  const { folder, operator, retire } = options;
  const place = placeOf(issuer, options);
  const { issuer: name, publicFile } = place;
  const whose = operator === undefined ? { issuer: name } : { operator: name };
  if (retire !== undefined) {
    const left = await orTold(() => retireKey(place, retire));
    terminal.print({ ...whose, retired: retire, left }, [
      `${publicFile} lists key ${retire} of ${name} no more: what it signed counts as forged.`,
      ...(operator === undefined
        ? []
        : ["Take it off the executor's file (EXECUTOR_OPERATOR_KEYS_FILE), too."]),
      ...(left === 0 ? [withoutKey(name, operator)] : []),
    ]);
    return;
  }
  const { before, after } = await orTold(() => replaceKey(place, () => delay(NOTICE_MS)));
  const retiring = `permitctl keys rotate ${operator === undefined ? name : `--operator ${name}`} --folder ${folder} --retire ${before.kid}`;
  terminal.print({ ...whose, kid: after.kid, before: before.kid }, [
    ...(operator === undefined
      ? [
          `${name} has key ${after.kid}; permits signed with ${before.kid} still count.`,
          "Under systemd, restart the executor now, then the issuer: each has a copy of its file.",
          `When no permit of the old key is under way any more: ${retiring}`,
        ]
      : [
          `${name} has key ${after.kid}. Until the executor's file (EXECUTOR_OPERATOR_KEYS_FILE) has the new entry of ${publicFile}, it refuses ${name}'s exits.`,
          `When permitctl flatten --drill works with the new key: ${retiring}`,
        ]),
  ]);
}

function withoutKey(name: string, operator: string | undefined): string {
  return operator === undefined
    ? `It was the last one: no permit of ${name} counts now, so nothing that needs one is closed.`
    : `It was the last one: ${name} can close nothing now.`;
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
