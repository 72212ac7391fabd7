/** The file of the console's users: read with suspicion, changed by one writer at a time, whole for every reader. */
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { replaceFile } from "@quantum/signing";
import { z } from "zod";
import { passwordHash } from "./password.ts";

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;
const USER_NAME_RULE = "letters, digits and `.`, `_`, `@`, `+`, `-`, a letter or digit first, 64 at most";

/** Undefined if it is one. */
export function whyNoUserName(name: string): string | undefined {
  return USER_NAME.test(name) ? undefined : `${JSON.stringify(name)} is no user's name: ${USER_NAME_RULE}`;
}

export const USER_ROLES = ["viewer", "operator"] as const;

const user = z.strictObject({
  name: z.string().regex(USER_NAME, USER_NAME_RULE),
  role: z.enum(USER_ROLES),
  /** Absent: this user comes by a reverse proxy's header alone. */
  password: passwordHash.optional(),
});

const usersFile = z.strictObject({ users: z.array(user) });

export type ConsoleUser = z.output<typeof user>;

/** Its message begins with the file's name, and has nothing of the file's content but names. */
export class UsersFileError extends Error {
  override readonly name = "UsersFileError";

  constructor(file: string, flaw: string) {
    super(`${file} ${flaw}`);
  }
}

const MODE = 0o600;
const FOR_OTHERS = 0o077;
const PERMISSIONS = 0o777;
/** Thousands of users. */
const MAX_BYTES = 2 ** 20;

/**
 * Undefined: there is no such file.
 * @throws {@link UsersFileError} with everything that is wrong
 */
export async function readUsers(file: string): Promise<ConsoleUser[] | undefined> {
  const text = await read(file);
  return text === undefined ? undefined : parseUsers(file, text);
}

/** Adds a user, or gives one of this name another role and password. */
export async function addUser(file: string, added: ConsoleUser): Promise<"added" | "changed"> {
  const why = whyNoUserName(added.name);
  if (why !== undefined) throw new UsersFileError(file, `takes no such user: ${why}`);
  let known = false;
  await change(file, (users) => {
    const at = users.findIndex(({ name }) => name === added.name);
    known = at >= 0;
    if (known) users[at] = added;
    else users.push(added);
  });
  return known ? "changed" : "added";
}

/** @returns false if there is no such user */
export async function removeUser(file: string, removed: string): Promise<boolean> {
  if ((await readUsers(file))?.some(({ name }) => name === removed) !== true) return false;
  await change(file, (users) => {
    const at = users.findIndex(({ name }) => name === removed);
    if (at >= 0) users.splice(at, 1);
  });
  return true;
}

function parseUsers(file: string, text: string): ConsoleUser[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UsersFileError(file, "is no JSON");
  }
  const parsed = usersFile.safeParse(json);
  if (!parsed.success) {
    const flaws = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
    throw new UsersFileError(file, `does not list users: ${flaws.join("; ")}`);
  }
  const { users } = parsed.data;
  const names = users.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) throw new UsersFileError(file, `names a user twice: ${twice.join(", ")}`);
  return users;
}

async function read(file: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    // Opening a named pipe would otherwise block until its other end is opened.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "EACCES") throw new UsersFileError(file, "cannot be read: this process has no permission");
    throw new UsersFileError(file, `cannot be read: ${code ?? message}`);
  }
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new UsersFileError(file, "is not a file");
    const mode = found.mode & PERMISSIONS;
    if ((mode & FOR_OTHERS) !== 0)
      throw new UsersFileError(
        file,
        `has mode 0${mode.toString(8).padStart(3, "0")}: it is for its owner alone: chmod 600`,
      );
    if (found.size > MAX_BYTES) throw new UsersFileError(file, `has more than ${MAX_BYTES} bytes`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

async function change(file: string, edit: (users: ConsoleUser[]) => void): Promise<void> {
  await replaceFile(file, {
    mode: MODE,
    errorOf: (about, flaw) => new UsersFileError(about, flaw),
    text: async () => {
      const users = (await readUsers(file)) ?? [];
      edit(users);
      const text = `${JSON.stringify({ users }, null, 2)}\n`;
      // What is written can be read.
      parseUsers(file, text);
      return text;
    },
    prepare: (handle) => leaveTo(handle, file),
  });
}

/** Root writes what another user's console reads: the owner of the file, or of its folder, stays its owner. */
async function leaveTo(handle: FileHandle, file: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(file).catch(() => stat(dirname(file)));
  await handle.chown(uid, gid);
}
