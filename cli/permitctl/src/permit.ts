/** `permit verify`: whether an issuer signed a permit. Needs a file and the public keys, but no Redis. */
import { readFile } from "node:fs/promises";
import { parseSignedPermit, type PermitClaims } from "@quantum/contract";
import { type Line, spans, styled } from "@quantum/service-kit";
import { type IssuerKeys, KeyFileError, loadIssuerKeys, verifyPermit } from "@quantum/signing";
import { z } from "zod";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Terminal } from "./terminal.ts";

export interface PermitOptions {
  /** The file of the issuers' public keys. */
  keys?: string;
}

interface Judged {
  valid: boolean;
  why: string;
  /** The text's content, whoever wrote it; undefined if it is unreadable. */
  claims: PermitClaims | undefined;
}

/** @returns whether every permit in the file is valid */
export async function verifyPermits(
  terminal: Terminal,
  file: string,
  { keys: named }: PermitOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const keys = await keysOf(named ?? env["EXECUTOR_ISSUER_KEYS_FILE"]);
  const judged = (await textsOf(file)).map((text) => judge(text, keys));
  terminal.print(
    judged.map(({ valid, why, claims }) => ({ valid, ...(!valid && { why }), ...claims })),
    judged.flatMap(shown),
  );
  return judged.every(({ valid }) => valid);
}

function judge(text: string, keys: IssuerKeys): Judged {
  const verified = verifyPermit(text, keys);
  if ("claims" in verified) return { valid: true, why: "", claims: verified.claims };
  const read = parseSignedPermit(text);
  const claims = "claims" in read ? read.claims : undefined;
  return { valid: false, why: `${verified.flaw}: ${verified.why}`, claims };
}

function shown({ valid, why, claims }: Judged): Line[] {
  if (claims === undefined) return [spans`permit: ${styled("red", why)}`];
  const { issuer, kid, ...says } = claims;
  return [
    spans`permit of ${issuer}, key ${kid}: ${valid ? styled("green", "valid") : styled("red", why)}`,
    ...table(Object.entries(says).map(([name, value]) => [name, withTime(name, value)])),
  ];
}

function withTime(name: string, value: string): string {
  const time = new Date(Number(value));
  if (!name.endsWith("_ms") || Number.isNaN(time.getTime())) return value;
  return `${value} (${time.toISOString()})`;
}

const withTexts = z.object({ signed: z.string().default("") });

/** A permit's or entry's JSON with the field `signed`, or signed texts, one per line. */
async function textsOf(file: string): Promise<string[]> {
  const content = await readFile(file, "utf8").catch((error: unknown) => {
    throw new CommandError(EXIT.usage, (error as Error).message);
  });
  const text = content.trim();
  return (text.startsWith("{") ? signedIn(file, text) : text).split("\n");
}

function signedIn(file: string, text: string): string {
  try {
    return withTexts.parse(JSON.parse(text)).signed;
  } catch {
    throw new CommandError(
      EXIT.usage,
      `${file} holds neither a permit nor an entry: its JSON has no text in "signed"`,
    );
  }
}

async function keysOf(file: string | undefined): Promise<IssuerKeys> {
  if (file === undefined)
    throw new CommandError(
      EXIT.usage,
      "the issuers' public keys are needed: --keys FILE, or EXECUTOR_ISSUER_KEYS_FILE",
    );
  return loadIssuerKeys(file).catch((error: unknown) => {
    throw error instanceof KeyFileError ? new CommandError(EXIT.usage, error.message) : error;
  });
}
