/** Reads key files with suspicion. An error names the file and the rule, but never shows the content. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { readPrivateKey } from "./ed25519.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { Signer } from "./signer.ts";

/** The message begins with the file's name. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";

  constructor(file: string, flaw: string) {
    super(`${file} ${flaw}`);
  }
}

/** The PEM of an Ed25519 key has 119 bytes. */
const PRIVATE_MAX_BYTES = 4_096;
/** About a thousand keys. */
const PUBLIC_MAX_BYTES = 65_536;
const FOR_OTHERS = 0o007;
const WRITABLE_FOR_OTHERS = 0o002;
const PERMISSIONS = 0o777;

/** @throws {@link KeyFileError} */
export async function loadSigningKey(file: string): Promise<Signer> {
  const pem = await read(file, {
    maxBytes: PRIVATE_MAX_BYTES,
    forbidden: FOR_OTHERS,
    rule: "others must have no access to a private key: chmod 600",
  });
  const key = readPrivateKey(pem);
  if ("flaw" in key) throw new KeyFileError(file, key.flaw);
  return new Signer(key);
}

/** @throws {@link KeyFileError} with everything that is wrong */
export async function loadIssuerKeys(file: string): Promise<IssuerKeys> {
  const text = await read(file, {
    maxBytes: PUBLIC_MAX_BYTES,
    forbidden: WRITABLE_FOR_OTHERS,
    rule: "others must not be able to add keys: chmod 644",
  });
  const keys = IssuerKeys.read(text);
  if ("flaws" in keys) throw new KeyFileError(file, `does not list public keys: ${keys.flaws.join("; ")}`);
  return keys;
}

async function read(
  file: string,
  { maxBytes, forbidden, rule }: { maxBytes: number; forbidden: number; rule: string },
): Promise<string> {
  // Opening a named pipe would otherwise block until its other end is opened.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new KeyFileError(file, unreadable(error as NodeJS.ErrnoException));
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new KeyFileError(file, "is not a file");
    const mode = stat.mode & PERMISSIONS;
    if ((mode & forbidden) !== 0)
      throw new KeyFileError(file, `has mode 0${mode.toString(8).padStart(3, "0")}: ${rule}`);
    const bytes = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    if (bytesRead > maxBytes) throw new KeyFileError(file, `has more than ${maxBytes} bytes`);
    return bytes.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function unreadable({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "does not exist";
  if (code === "EACCES") return "cannot be read: this process has no permission";
  return `cannot be read: ${code ?? message}`;
}
