/**
 * A file, such as a key, that a variable names and that may be replaced while the service runs. A timer checks it, so
 * no caller waits for the disk. If the new file is bad, the old content stays in use and the service is not ready.
 */
import { stat } from "node:fs/promises";
import type { Logger } from "pino";
import { ConfigError } from "./config.ts";
import { every } from "./every.ts";

/** The interval of checks. Whoever replaces a file should allow a few of these. */
const LOOK_EVERY_MS = 1_000;

export interface FollowedFile<T> {
  /** The content of the last good file. */
  readonly current: T;
  /** Why the current file is not in use. */
  problems(): string[];
  stop(): Promise<void>;
}

export interface FollowOptions<T> {
  /** The variable that names the file. Errors begin with it. */
  variable: string;
  file: string;
  /** Throws an error whose message is safe to log. */
  load: (file: string) => Promise<T>;
  /** As in "the signing key is replaced". */
  what: string;
  /** What the log shows about it. */
  shown: (loaded: T) => object;
  log: Pick<Logger, "info" | "error">;
  everyMs?: number;
}

/** @throws {@link ConfigError} if the file is bad at the start */
export async function followFile<T>(options: FollowOptions<T>): Promise<FollowedFile<T>> {
  const { variable, file, load, what, shown, log, everyMs = LOOK_EVERY_MS } = options;
  const told = (error: unknown) => `${variable}: ${(error as Error).message}`;
  // Taken before the file is read, so that the next check notices a change in between.
  let seen = await fingerprint(file);
  let current: T;
  try {
    current = await load(file);
  } catch (error) {
    throw new ConfigError([told(error)]);
  }
  let problem: string | undefined;

  const look = async () => {
    const now = await fingerprint(file);
    // A bad file is tried again, because it may have been unreadable only briefly.
    if (now === seen && problem === undefined) return;
    try {
      current = await load(file);
      log.info(shown(current), `${what} is replaced: ${variable}=${file} has changed`);
      problem = undefined;
    } catch (error) {
      const found = told(error);
      if (found !== problem) log.error(`${found}; the one that was read before stays in use`);
      problem = found;
    }
    seen = now;
  };
  const looking = every(everyMs, look, (error) => log.error({ err: error }, `failed to look at ${file}`));
  return {
    get current() {
      return current;
    },
    problems: () => (problem === undefined ? [] : [`${problem}; the one that was read before is in use`]),
    stop: looking.stop,
  };
}

/** Changes with the file's content or permissions, or when another file replaces it. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
