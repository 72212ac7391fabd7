import {
  type FileHandle,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { TTL_SEC } from "@quantum/contract";
import { endProcess, spawnGuarded } from "@quantum/harness";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { JOURNAL_FILE, Journal, type JournalOptions, type PartitionJournal } from "./journal.ts";
import { INCOMPLETE } from "./journal-lines.ts";

const NOW_MS = 1_769_301_008_977;
const HOUR_MS = 3_600_000;
const KEEP_MS = TTL_SEC.order * 1000;

let folder: string;
let nowMs: number;
let damage: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-journal-"));
  nowMs = NOW_MS;
  damage = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = () => join(folder, JOURNAL_FILE);
const sent = (no: number, atMs = nowMs) => ({
  planId: no.toString(16).padStart(16, "0"),
  attempt: `${NOW_MS}-${no}`,
  clientOrderId: `qp-${no.toString(16).padStart(16, "0")}-1`,
  atMs,
});
const plans = (count: number) => Array.from({ length: count }, (_, no) => sent(no));

async function openAll(over: Partial<JournalOptions> = {}): Promise<Journal> {
  const onDamage = (problem: string) => damage.push(problem);
  const journal = await Journal.open({ folder, partitions: 1, redisNowMs: () => nowMs, onDamage, ...over });
  onTestFinished(() => journal.close());
  return journal;
}
type Opened = PartitionJournal & Pick<Journal, "close">;
/** That of the only partition. */
async function open(over: Partial<JournalOptions> = {}): Promise<Opened> {
  const journal = await openAll(over);
  return Object.assign(journal.of(0), { close: () => journal.close() });
}
/** The journal as the next start reads it. */
async function again(journal: Opened): Promise<Opened> {
  await journal.close();
  return open();
}
const known = (journal: Pick<Journal, "has">, of: readonly { planId: string }[]) =>
  of.filter(({ planId }) => journal.has(planId)).length;

describe("what was sent", () => {
  it("is known at once, on the disk when its call resolves, and known after a restart", async () => {
    const journal = await open();
    const [one, two] = [sent(1), sent(2)];
    expect(journal.has(one.planId)).toBe(false);
    const recorded = journal.record(one);
    expect(journal.has(one.planId)).toBe(true);
    expect(await recorded).toBe(true);
    expect(await readFile(file(), "utf8")).toContain(
      `sent ${NOW_MS} ${one.attempt} ${one.planId} ${one.clientOrderId} `,
    );
    const next = await again(journal);
    expect([next.has(one.planId), next.has(two.planId)]).toEqual([true, false]);
  });

  it("is not recorded twice: the second caller must not send", async () => {
    const journal = await open();
    expect(await Promise.all([journal.record(sent(1)), journal.record(sent(1))])).toEqual([true, false]);
    const next = await again(journal);
    expect(await next.record(sent(1))).toBe(false);
  });

  it("shares writes: who comes while one is under way waits for the next one", async () => {
    const journal = await open();
    const all = plans(500);
    const order: number[] = [];
    await Promise.all(all.map(async (one, no) => (await journal.record(one), order.push(no))));
    expect(order).toEqual(all.map((_, no) => no));
    expect(known(await again(journal), all)).toBe(500);
  });

  it("is forgotten once Redis has forgotten it, too", async () => {
    const journal = await open();
    await journal.record(sent(1));
    nowMs += HOUR_MS;
    await journal.record(sent(2));
    nowMs += KEEP_MS - HOUR_MS / 2;
    await journal.record(sent(3));
    expect([1, 2, 3].map((no) => journal.has(sent(no).planId))).toEqual([false, true, true]);
    const next = await again(journal);
    expect([1, 2, 3].map((no) => next.has(sent(no).planId))).toEqual([false, true, true]);
    expect(await readFile(file(), "utf8")).not.toContain(sent(1).attempt);
    // It does not claim to know what it has forgotten.
    expect(next.sinceMs).toBe(nowMs - KEEP_MS);
  });

  it("is not claimed to be known if it was forgotten while Redis's clock was ahead", async () => {
    const journal = await open();
    nowMs += HOUR_MS;
    await journal.record(sent(1));
    nowMs += 2 * KEEP_MS;
    await journal.record(sent(2));
    nowMs -= 2 * KEEP_MS;
    expect(journal.has(sent(1).planId)).toBe(false);
    expect(journal.sinceMs).toBe(nowMs);
  });
});

describe("since when it is complete", () => {
  it("is when it was created, also after a restart", async () => {
    const journal = await open();
    nowMs += HOUR_MS;
    expect(journal.sinceMs).toBe(NOW_MS);
    expect((await again(journal)).sinceMs).toBe(NOW_MS);
  });

  it("is replaced by now, once, where it lies in the future of Redis's clock", async () => {
    const journal = await open();
    nowMs -= HOUR_MS;
    expect(journal.sinceMs).toBe(NOW_MS - HOUR_MS);
    nowMs += 2 * HOUR_MS;
    expect(journal.sinceMs).toBe(NOW_MS - HOUR_MS);
    const next = await again(journal);
    expect(next.sinceMs).toBe(NOW_MS - HOUR_MS);
    await next.close();
    nowMs -= 3 * HOUR_MS;
    const back = await open();
    nowMs += HOUR_MS;
    expect(back.sinceMs).toBe(NOW_MS - 2 * HOUR_MS);
  });

  it("is not told while another executor sends; then it is from when this one does again", async () => {
    const journal = await open();
    await journal.othersSend();
    expect(journal.sinceMs).toBe(Number.POSITIVE_INFINITY);
    nowMs += HOUR_MS;
    await journal.onlyThisSends(nowMs);
    nowMs += HOUR_MS;
    await journal.onlyThisSends(nowMs);
    expect(journal.sinceMs).toBe(NOW_MS + HOUR_MS);
    expect((await again(journal)).sinceMs).toBe(NOW_MS + HOUR_MS);
  });

  it("is the next start, if another one was sending at the last end", async () => {
    const journal = await open();
    await journal.othersSend();
    nowMs += HOUR_MS;
    expect((await again(journal)).sinceMs).toBe(NOW_MS + HOUR_MS);
  });
});

describe("of several partitions", () => {
  /** Redis's clocks are not equal. */
  const AHEAD_MS = 300;
  const three = {
    partitions: 3,
    redisNowMs: (partition: number) => (partition === 1 ? nowMs + AHEAD_MS : nowMs),
  };
  const sinceOf = (journal: Journal) => [0, 1, 2].map((partition) => journal.of(partition).sinceMs);
  const reopened = async (journal: Journal, over: Partial<JournalOptions> = three) => {
    await journal.close();
    return openAll(over);
  };

  it("is complete for each since its own time, by its own clock, also after a restart", async () => {
    const journal = await openAll(three);
    await journal.of(1).othersSend();
    await journal.of(2).othersSend();
    nowMs += HOUR_MS;
    await journal.of(1).onlyThisSends(nowMs + AHEAD_MS);
    const since = [NOW_MS, NOW_MS + HOUR_MS + AHEAD_MS, Number.POSITIVE_INFINITY];
    expect(sinceOf(journal)).toEqual(since);
    nowMs += HOUR_MS;
    const next = await reopened(journal);
    expect(sinceOf(next)).toEqual([...since.slice(0, 2), NOW_MS + 2 * HOUR_MS]);
  });

  it("knows a plan in all of them, whichever it was sent in", async () => {
    const journal = await openAll(three);
    await journal.of(2).record(sent(1));
    const next = await reopened(journal);
    expect([0, 1, 2].map((partition) => next.of(partition).has(sent(1).planId))).toEqual([true, true, true]);
    expect(await next.of(0).record(sent(1))).toBe(false);
  });

  it("is complete since now, and keeps what was sent, when their number has changed", async () => {
    const journal = await openAll(three);
    await journal.of(0).record(sent(1));
    nowMs += HOUR_MS;
    const one = await reopened(journal, { partitions: 1 });
    expect([one.of(0).sinceMs, one.has(sent(1).planId)]).toEqual([NOW_MS + HOUR_MS, true]);
    nowMs += HOUR_MS;
    const two = await reopened(one, { partitions: 2 });
    expect([two.of(0).sinceMs, two.of(1).sinceMs]).toEqual([NOW_MS + 2 * HOUR_MS, NOW_MS + 2 * HOUR_MS]);
    expect(two.has(sent(1).planId)).toBe(true);
    expect(damage).toEqual([]);
  });

  it("counts what it forgot for each of them: nothing says which it was of", async () => {
    const journal = await openAll(three);
    nowMs += HOUR_MS;
    await journal.of(1).record(sent(1));
    nowMs += 2 * KEEP_MS;
    await journal.of(1).record(sent(2));
    nowMs -= 2 * KEEP_MS;
    expect(journal.has(sent(1).planId)).toBe(false);
    expect(sinceOf(journal)).toEqual([nowMs, nowMs, nowMs]);
  });
});

describe("a crash", () => {
  it("loses nothing that was acknowledged, at whatever byte it cuts the last write", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 20 }),
        fc.nat({ max: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (before, after, share) => {
          await rm(folder, { recursive: true });
          nowMs = NOW_MS;
          const journal = await open();
          const all = plans(before + after);
          await Promise.all(all.slice(0, before).map((one) => journal.record(one)));
          const { size: acknowledged } = await stat(file());
          await Promise.all(all.slice(before).map((one) => journal.record(one)));
          await journal.close();
          const { size } = await stat(file());
          await truncate(file(), acknowledged + Math.floor(share * (size - acknowledged)));
          nowMs += HOUR_MS;
          const next = await open();
          expect(known(next, all.slice(0, before))).toBe(before);
          expect(next.sinceMs).toBe(NOW_MS);
          expect(damage).toEqual([]);
          // The cut line does not affect later lines.
          await next.record(sent(100));
          const third = await again(next);
          expect(third.has(sent(100).planId)).toBe(true);
          expect(damage).toEqual([]);
          await third.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it("during a start leaves the journal as it was", async () => {
    const journal = await open();
    await journal.record(sent(1));
    await journal.close();
    await writeFile(`${file()}.new`, "half a li");
    expect((await open()).has(sent(1).planId)).toBe(true);
    expect(await readdir(folder)).not.toContain(`${JOURNAL_FILE}.new`);
  });
});

describe("damage", () => {
  it("of any byte is told, the file is kept, and only permits issued from now on are trusted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (place, change) => {
        await rm(folder, { recursive: true });
        damage.length = 0;
        nowMs = NOW_MS;
        const journal = await open();
        const all = plans(5);
        for (const one of all) await journal.record(one);
        await journal.close();
        const bytes = await readFile(file());
        // A crash may cut the last byte.
        const at = place % (bytes.length - 1);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        await writeFile(file(), bytes);
        nowMs += HOUR_MS;
        const next = await open();
        expect(damage).toEqual([
          expect.stringMatching(/^\/.*: line \d .*; a copy is kept as sent\.journal\.damaged-1\./),
        ]);
        expect(next.sinceMs).toBe(nowMs);
        expect(known(next, all)).toBeGreaterThanOrEqual(3);
        expect(await readFile(`${file()}.damaged-1`)).toEqual(bytes);
        // It is reported once.
        const third = await again(next);
        expect(damage).toHaveLength(1);
        expect(third.sinceMs).toBe(nowMs);
        await third.close();
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["an empty file", ""],
    ["another program's file", "hello\nworld\n"],
    ["a file without a line", "quantum-execu"],
  ])("that left %s, too", async (_, text) => {
    await writeFile(file(), text);
    expect((await open()).sinceMs).toBe(NOW_MS);
    expect(damage).toHaveLength(1);
    expect(await readFile(`${file()}.damaged-1`, "utf8")).toBe(text);
  });

  it("keeps every damaged file", async () => {
    for (const no of [1, 2, 3]) {
      await writeFile(file(), `damage ${no}\n`);
      await (await open()).close();
      expect(await readFile(`${file()}.damaged-${no}`, "utf8")).toBe(`damage ${no}\n`);
    }
  });

  it("is kept under a new number where an earlier copy was deleted", async () => {
    await writeFile(`${file()}.damaged-2`, "earlier\n");
    await writeFile(file(), "damage\n");
    await open();
    expect(await readFile(`${file()}.damaged-2`, "utf8")).toBe("earlier\n");
    expect(await readFile(`${file()}.damaged-3`, "utf8")).toBe("damage\n");
  });
});

describe("the folder", () => {
  it("is made, and is nobody else's to read", async () => {
    folder = join(folder, "a");
    await open();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
  });

  it("may have a long path", async () => {
    folder = join(folder, "x".repeat(200));
    const journal = await open();
    await expect(open()).rejects.toThrow("another executor uses it");
    await journal.close();
  });

  it("ends the start where it cannot be used, and says which variable to change", async () => {
    await writeFile(join(folder, "file"), "");
    const path = join(folder, "file");
    await expect(open({ folder: path })).rejects.toMatchObject({
      name: "ConfigError",
      violations: [
        expect.stringMatching(/^EXECUTOR_STATE_DIR="\/.*\/file": must be a folder in which .*\(E/),
      ],
    });
    await expect(open({ folder: join(folder, "not", "there") })).rejects.toThrow(
      /not\/there": must be .*ENOENT/,
    );
    await expect(open({ folder: "/proc/nowhere" })).rejects.toThrow(
      'EXECUTOR_STATE_DIR="/proc/nowhere": must be',
    );
  });

  it("is one executor's, until that ends", async () => {
    const journal = await open();
    await expect(open()).rejects.toMatchObject({
      name: "ConfigError",
      violations: [expect.stringContaining("another executor uses it, and each needs a folder of its own")],
    });
    await journal.record(sent(1));
    expect((await again(journal)).has(sent(1).planId)).toBe(true);
    expect((await readdir(folder)).filter((name) => name.startsWith("lock."))).toHaveLength(1);
  });

  it("is never two executors', however many start at once", async () => {
    for (let round = 0; round < 20; round += 1) {
      const opened = await Promise.allSettled(
        Array.from({ length: 4 }, () => Journal.open({ folder, partitions: 1, redisNowMs: () => nowMs })),
      );
      const won = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      expect(won.length).toBeLessThanOrEqual(1);
      for (const journal of won) await journal.close();
    }
    await open();
  });
});

describe("a disk that fails", () => {
  it("has nothing sent, says so, and is written to again once it works", async () => {
    const journal = await open();
    const probe = await openFile(file());
    const sync = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, "datasync");
    await probe.close();
    sync.mockRejectedValueOnce(new Error("EIO: i/o error, fdatasync"));
    await expect(journal.record(sent(1))).rejects.toThrow("EIO");
    sync.mockRestore();
    const [problem] = journal.problems();
    expect(problem).toBe(`no order can be sent: EXECUTOR_STATE_DIR="${folder}": EIO: i/o error, fdatasync`);
    // It is unknown whether it is on disk.
    expect(await journal.record(sent(1))).toBe(false);
    expect(await journal.record(sent(2))).toBe(true);
    expect(journal.problems()).toEqual([]);
    expect(known(await again(journal), [sent(1), sent(2)])).toBe(2);
  });

  it("is tried again when somebody asks", async () => {
    const journal = await open();
    const probe = await openFile(file());
    const sync = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, "datasync");
    await probe.close();
    sync.mockRejectedValueOnce(new Error("ENOSPC: no space left on device, fdatasync"));
    await expect(journal.record(sent(1))).rejects.toThrow("ENOSPC");
    sync.mockRestore();
    await vi.waitFor(() => expect(journal.problems()).toEqual([]));
  });
});

describe("a process that is killed", () => {
  it("has on the disk what it was told is there, and leaves the folder to the next one", async () => {
    for (let round = 0; round < 3; round += 1) {
      const writer = await spawnGuarded(
        process.execPath,
        [join(import.meta.dirname, "journal-writer.fixture.ts"), folder],
        { env: { PATH: process.env["PATH"] ?? "" } },
      );
      const lines = createInterface({ input: writer.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe("opened");
      await expect(open()).rejects.toThrow("another executor uses it");
      const told: string[] = [];
      while (told.length < 50 * (round + 1)) told.push(String((await lines.next()).value));
      const ended = endProcess(writer, "SIGKILL");
      // What it had printed before it died.
      for (let line = await lines.next(); line.done !== true; line = await lines.next())
        told.push(line.value);
      await ended;
      const journal = await open({ redisNowMs: () => Date.now() });
      expect(told.filter((planId) => !journal.has(planId))).toEqual([]);
      expect(damage).toEqual([]);
      await journal.close();
    }
  });
});

it("writes a time that every clock takes for the future", () => {
  expect(INCOMPLETE).toBeGreaterThan(Date.parse("2200-01-01"));
});
