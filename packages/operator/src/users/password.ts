/**
 * Passwords as the console's file of users keeps them: scrypt with its parameters and a salt.
 * Source of the parameters: OWASP's Password Storage Cheat Sheet, in the form that takes 32 MiB.
 */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { z } from "zod";

export const PASSWORD_MIN_CHARS = 12;
export const PASSWORD_MAX_CHARS = 256;

const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** What a file may ask for: no less than what protects a password, no more than this process can give. */
export const passwordHash = z.object({
  N: z
    .int()
    .min(2 ** 14)
    .max(2 ** 17)
    .refine((n) => Number.isInteger(Math.log2(n)), "must be a power of 2"),
  r: z.int().min(8).max(16),
  p: z.int().min(1).max(16),
  salt: z.string().regex(BASE64).min(20).max(100),
  hash: z.string().regex(BASE64).min(40).max(100),
});

export type PasswordHash = z.output<typeof passwordHash>;

/** Why it is no password for a user; undefined if it is one. */
export function whyNoPassword(password: string): string | undefined {
  const { length } = Array.from(password);
  if (length < PASSWORD_MIN_CHARS)
    return `it has ${length} characters, at least ${PASSWORD_MIN_CHARS} are needed`;
  if (length > PASSWORD_MAX_CHARS)
    return `it has ${length} characters, at most ${PASSWORD_MAX_CHARS} are taken`;
  return undefined;
}

export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, { ...COST, bytes: KEY_BYTES });
  return { ...COST, salt: salt.toString("base64"), hash: hash.toString("base64") };
}

/** Nobody knows a password of it. Comparing with it costs as much as with one of {@link hashPassword}. */
const NOBODYS: PasswordHash = {
  ...COST,
  salt: randomBytes(SALT_BYTES).toString("base64"),
  hash: randomBytes(KEY_BYTES).toString("base64"),
};

/**
 * Takes as long for a user who does not exist, or has no password, as for one with a wrong password. One call takes 32 MiB
 * and some hundred ms of a thread: the caller bounds how many run.
 */
export async function isPassword(password: string, known: PasswordHash | undefined): Promise<boolean> {
  const { salt, hash, ...cost } = known ?? NOBODYS;
  const expected = Buffer.from(hash, "base64");
  const found = await derive(password, Buffer.from(salt, "base64"), { ...cost, bytes: expected.length });
  return timingSafeEqual(found, expected) && known !== undefined;
}

/** Off the main thread. */
async function derive(
  password: string,
  salt: Buffer,
  { N, r, p, bytes }: { N: number; r: number; p: number; bytes: number },
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  // Twice what it needs: Node refuses above 32 MiB otherwise.
  const maxmem = 2 * 128 * N * r;
  // The same password, however a keyboard composes its letters.
  scrypt(password.normalize("NFKC"), salt, bytes, { N, r, p, maxmem }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  );
  return promise;
}
