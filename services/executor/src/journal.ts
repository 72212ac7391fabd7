/**
 * The plans whose order this executor has sent, in a local file. A plan is on disk before its order is sent, so a replayed
 * entry is recognised even if its claim was deleted from Redis, and so is another attempt of the plan (I1).
 *
 * The file also records since when it is complete, for each partition by that partition's clock. It knows nothing about permits
 * issued earlier: before the file was created, before damage to it was found, or while another executor was sending.
 *
 * Lines are only appended, each with a checksum. A start rewrites the file and drops old plans.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { TTL_SEC } from "@quantum/contract";
import { ConfigError } from "@quantum/service-kit";
import { FolderLock } from "./folder-lock.ts";
import {
  type Found,
  FORMAT_LINE,
  latestOf,
  readJournal,
  sentLine,
  type Sent,
  type SentOrder,
  sinceLine,
  INCOMPLETE,
} from "./journal-lines.ts";

export const JOURNAL_FILE = "sent.journal";
/** As long as the key of a settled order. */
const KEEP_MS = TTL_SEC.order * 1000;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export interface JournalOptions {
  /** EXECUTOR_STATE_DIR. */
  folder: string;
  /** How many there are. */
  partitions: number;
  /** A partition's Redis's time, in ms. */
  redisNowMs: (partition: number) => number;
  /** The file was damaged; a copy of it is kept. */
  onDamage?: (problem: string) => void;
}

/** The journal, as the orders of one partition need it. Plans are known whatever partition they were sent in. */
export interface PartitionJournal extends Pick<Journal, "has" | "record" | "problems"> {
  /**
   * The journal has every plan of the partition that was sent and whose permits were issued after this time, in ms by its Redis's
   * clock. Infinity while another executor sends. A future time is replaced by now, once: Redis's clock has stepped back.
   */
  readonly sinceMs: number;
  /** The latest orders, of all partitions. */
  latest(): SentOrder[];
  /** Another executor sends from now on, so the journal is incomplete until {@link onlyThisSends}. */
  othersSend(): Promise<void>;
  /** No other executor sends from `nowMs` on, by Redis's clock: read there, since a reckoned time may be ahead of it. */
  onlyThisSends(nowMs: number): Promise<void>;
}

interface Group {
  lines: string[];
  written: Promise<void>;
}

export class Journal {
  readonly #folder: string;
  readonly #redisNowMs: (partition: number) => number;
  readonly #lock: FolderLock;
  /** By plan id, oldest first. */
  readonly #sent: Map<string, Sent>;
  /** By partition; {@link INCOMPLETE} while another executor sends. */
  #sinceMs: number[];
  /** Undefined after a failed write: what reached the disk is unknown, so the file is rewritten. */
  #file: FileHandle | undefined;
  /** Lines that wait for the write in progress. */
  #next: Group | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #problem: string | undefined;
  #isClosed = false;

  private constructor(options: JournalOptions, lock: FolderLock, found: Pick<Found, "sent" | "sinceMs">) {
    this.#folder = options.folder;
    this.#redisNowMs = options.redisNowMs;
    this.#lock = lock;
    this.#sent = new Map(found.sent.map((sent) => [sent.planId, sent]));
    this.#sinceMs = found.sinceMs;
  }

  /** @throws ConfigError if the folder cannot be used, or another executor uses it */
  static async open(options: JournalOptions): Promise<Journal> {
    const { folder } = options;
    let lock: FolderLock | undefined;
    try {
      await mkdir(folder, { mode: FOLDER_MODE }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      lock = await FolderLock.take(folder);
      if (lock === undefined)
        throw refused(folder, "another executor uses it, and each needs a folder of its own");
      const journal = new Journal(options, lock, await readFound(options));
      await journal.#writeAnew();
      return journal;
    } catch (error) {
      await lock?.release();
      if (error instanceof ConfigError) throw error;
      throw refused(
        folder,
        `must be a folder in which this user may create files (${(error as Error).message})`,
      );
    }
  }

  /** Whether an order of the plan may have been sent from here. */
  has(planId: string): boolean {
    return this.#sent.has(planId);
  }

  /**
   * Resolves once the plan is on disk; only then may its order be sent.
   * @returns false if the plan was recorded before, so its order may have been sent
   */
  async record(sent: Sent): Promise<boolean> {
    if (this.#sent.has(sent.planId)) return false;
    this.#sent.set(sent.planId, sent);
    this.#forgetOld();
    await this.#append(sentLine(sent));
    return true;
  }

  /** @param partition its number */
  of(partition: number): PartitionJournal {
    const sinceOf = () => this.#sinceMs[partition] ?? INCOMPLETE;
    const setSince = (sinceMs: number) => void (this.#sinceMs[partition] = sinceMs);
    const writeSince = (sinceMs: number) => this.#append(sinceLine(sinceMs, partition, this.#sinceMs.length));
    const redisNowMs = () => this.#redisNowMs(partition);
    return {
      has: (planId) => this.has(planId),
      record: (sent) => this.record(sent),
      latest: () => latestOf([...this.#sent.values()]),
      problems: () => this.problems(),
      get sinceMs() {
        if (sinceOf() === INCOMPLETE) return Number.POSITIVE_INFINITY;
        const nowMs = redisNowMs();
        if (sinceOf() > nowMs) {
          setSince(nowMs);
          // If this is lost, the next start finds the future time and replaces it by a later one.
          writeSince(nowMs).catch(() => undefined);
        }
        return Math.max(sinceOf(), nowMs - KEEP_MS);
      },
      async othersSend() {
        if (sinceOf() === INCOMPLETE) return;
        setSince(INCOMPLETE);
        await writeSince(INCOMPLETE);
      },
      async onlyThisSends(nowMs) {
        if (sinceOf() !== INCOMPLETE) return;
        await writeSince(nowMs);
        setSince(nowMs);
      },
    };
  }

  /** Why nothing can be recorded, and therefore nothing sent. Each call while there is a problem retries the write. */
  problems(): string[] {
    if (this.#problem === undefined) return [];
    this.#append("").catch(() => undefined);
    return [`no order can be sent: ${this.#problem}`];
  }

  /** Waits for the writes in progress. */
  async close(): Promise<void> {
    await this.#next?.written.catch(() => undefined);
    await this.#writing;
    this.#isClosed = true;
    await this.#file?.close();
    this.#file = undefined;
    await this.#lock.release();
  }

  /** Group commit: lines that arrive during a write and its sync share the next one. */
  #append(line: string): Promise<void> {
    this.#next ??= this.#begin();
    this.#next.lines.push(line);
    return this.#next.written;
  }

  #begin(): Group {
    const lines: string[] = [];
    const written = this.#writing.then(() => {
      this.#next = undefined;
      return this.#write(lines.join(""));
    });
    this.#writing = written.catch(() => undefined);
    return { lines, written };
  }

  async #write(text: string): Promise<void> {
    if (this.#isClosed) throw new Error("the journal is closed");
    try {
      if (this.#file === undefined) await this.#writeAnew();
      else {
        await this.#file.appendFile(text);
        await this.#file.datasync();
      }
      this.#problem = undefined;
    } catch (error) {
      this.#problem = `EXECUTOR_STATE_DIR=${JSON.stringify(this.#folder)}: ${(error as Error).message}`;
      await this.#file?.close().catch(() => undefined);
      this.#file = undefined;
      throw error;
    }
  }

  /** Replaces the file in one step. */
  async #writeAnew(): Promise<void> {
    this.#forgetOld();
    const name = join(this.#folder, JOURNAL_FILE);
    const fresh = `${name}.new`;
    const file = await open(fresh, "w", FILE_MODE);
    try {
      const sent = [...this.#sent.values()].map((one) => sentLine(one));
      const since = this.#sinceMs.map((sinceMs, partition) =>
        sinceLine(sinceMs, partition, this.#sinceMs.length),
      );
      await file.writeFile([FORMAT_LINE, ...since, ...sent].join(""));
      await file.sync();
      await rename(fresh, name);
      await this.#lock.syncFolder();
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
  }

  /** If Redis's clock was ahead for a moment, what is forgotten is not old: the journal is complete only after it. */
  #forgetOld(): void {
    const oldestMs = this.#redisNowMs(0) - KEEP_MS;
    for (const [planId, { atMs }] of this.#sent) {
      if (atMs >= oldestMs) return;
      this.#sent.delete(planId);
      // Nothing says which partition it was of.
      this.#sinceMs = this.#sinceMs.map((sinceMs) => Math.max(sinceMs, atMs));
    }
  }
}

/** Reads the file; a missing one counts as created now. */
async function readFound(options: JournalOptions): Promise<Pick<Found, "sent" | "sinceMs">> {
  const { folder, partitions, redisNowMs, onDamage } = options;
  const now = Array.from({ length: partitions }, (_, partition) => redisNowMs(partition));
  const name = join(folder, JOURNAL_FILE);
  const bytes = await readFile(name).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  if (bytes === undefined) return { sent: [], sinceMs: now };
  const { sent, sinceMs, damage } = readJournal(bytes);
  // A future time counts as now; INCOMPLETE, of an executor that ended while it stood by, is one.
  const past = sent.map((one) => ({ ...one, atMs: Math.min(one.atMs, redisNowMs(0)) }));
  const byAge = past.toSorted((one, other) => one.atMs - other.atMs);
  if (damage === undefined) {
    // With another number of partitions, its times say nothing of these.
    if (sinceMs.length !== now.length) return { sent: byAge, sinceMs: now };
    return {
      sent: byAge,
      sinceMs: sinceMs.map((since, partition) => Math.min(since, now[partition] ?? since)),
    };
  }
  const kept = await keep(folder, bytes);
  onDamage?.(
    `${name}: ${damage}; a copy is kept as ${kept}. Orders whose permits were issued before now are queried, not sent`,
  );
  return { sent: byAge, sinceMs: now };
}

/** Copies rather than renames, so that the journal exists at every moment. @returns the copy's name */
async function keep(folder: string, bytes: Buffer): Promise<string> {
  const prefix = `${JOURNAL_FILE}.damaged-`;
  // Not their count: earlier copies may have been deleted.
  const numbers = (await readdir(folder))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)) || 0);
  const name = `${prefix}${Math.max(0, ...numbers) + 1}`;
  const file = await open(join(folder, name), "wx", FILE_MODE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await unlink(join(folder, name));
    throw error;
  } finally {
    await file.close();
  }
  return name;
}

function refused(folder: string, rule: string): ConfigError {
  return new ConfigError([`EXECUTOR_STATE_DIR=${JSON.stringify(folder)}: ${rule}`]);
}
