/**
 * A file that a variable names and that may be replaced while the service runs, such as a key. It is looked at by a timer,
 * so that its user never waits for a disk. A bad new file changes nothing but the readiness: the old content stays in use.
 */
import { stat } from "node:fs/promises";
import type { Logger } from "pino";
import { ConfigError } from "./config.ts";
import { every } from "./every.ts";

/** How often it is looked at; who replaces a file gives its readers a few of these. */
const LOOK_EVERY_MS = 1_000;

export interface FollowedFile<T> {
  /** What the last good file held. */
  readonly current: T;
  /** Why the file as it is now is not in use. */
  problems(): string[];
  stop(): Promise<void>;
}

export interface FollowOptions<T> {
  /** The variable that names the file; errors begin with both. */
  variable: string;
  file: string;
  /** Throws what is wrong in words that may be logged. */
  load: (file: string) => Promise<T>;
  /** As in "the signing key is replaced". */
  what: string;
  /** What the log shows of it. */
  shown: (loaded: T) => object;
  log: Pick<Logger, "info" | "error">;
  everyMs?: number;
}

/** @throws {@link ConfigError} if the file that is there now is bad */
export async function followFile<T>(options: FollowOptions<T>): Promise<FollowedFile<T>> {
  const { variable, file, load, what, shown, log, everyMs = LOOK_EVERY_MS } = options;
  const told = (error: unknown) => `${variable}: ${(error as Error).message}`;
  // Taken before the file is read: a change in between is seen at the next look.
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
    // What is bad is tried again: it may have been unreadable for a moment.
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

/** Changes with the file's content, its permissions, and whenever another file takes its place. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
