/** A file that is replaced whole: at once for its readers, also after a crash, and by one writer at a time. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export interface Replacement {
  /** Independent of the umask. */
  mode: number;
  /** Called once no other writer can change the file, which it may read. */
  text: () => Promise<string>;
  /** Of the new file, before it has the name. */
  prepare?: (handle: FileHandle) => Promise<void>;
  /** Its message begins with the file's name. */
  errorOf: (file: string, flaw: string) => Error;
}

/** The new file, `<name>.new`, is also the lock. Whatever fails, the file stays as it was. */
export async function replaceFile(
  file: string,
  { mode, text, prepare, errorOf }: Replacement,
): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  // The new file would replace the link, and whoever reads the other one would keep what was removed.
  if (found?.isSymbolicLink() === true)
    throw errorOf(file, "is a symbolic link: name the file that it leads to; nothing was changed");
  const next = `${file}.new`;
  let handle: FileHandle;
  try {
    handle = await open(next, "wx", mode);
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw errorOf(next, `cannot be written: ${code}`);
    throw errorOf(next, "exists: another change is under way, or was interrupted; then delete it");
  }
  try {
    await handle.writeFile(await text());
    await handle.chmod(mode);
    await prepare?.(handle);
    await handle.sync();
    await rename(next, file);
    await syncFolder(dirname(file));
  } catch (failure) {
    await rm(next, { force: true });
    throw failure;
  } finally {
    await handle.close();
  }
}

/** Makes new names in the folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
