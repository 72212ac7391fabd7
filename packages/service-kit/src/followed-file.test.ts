import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ConfigError } from "./config.ts";
import { followFile } from "./followed-file.ts";

const LOOK_EVERY_MS = 5;
const WAIT = { timeout: 10_000, interval: 5 };

let dir = "";
let file = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-followed-"));
  file = join(dir, "number");
  await writeFile(file, "1");
});
afterEach(() => rm(dir, { recursive: true }));

/** Loads a number. */
async function load(from: string): Promise<number> {
  const text = await readFile(from, "utf8").catch(() => "nothing");
  if (!/^\d+$/.test(text)) throw new Error(`${from} holds no number`);
  return Number(text);
}

async function given() {
  const log = { info: vi.fn(), error: vi.fn() };
  const reads = vi.fn(load);
  const followed = await followFile({
    variable: "SOME_FILE",
    file,
    load: reads,
    what: "the number",
    shown: (number) => ({ number }),
    log,
    everyMs: LOOK_EVERY_MS,
  });
  onTestFinished(() => followed.stop());
  return { followed, log, reads };
}

async function replace(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe("a followed file", () => {
  it("is read once while it stays as it is", async () => {
    const { followed, reads } = await given();
    await vi.waitFor(() => expect(followed.current).toBe(1), WAIT);
    await replace("2");
    await vi.waitFor(() => expect(followed.current).toBe(2), WAIT);
    expect(reads).toHaveBeenCalledTimes(2);
  });

  it("is read again when another one takes its place, and when it is written to", async () => {
    const { followed, log } = await given();
    await replace("2");
    await vi.waitFor(() => expect(followed.current).toBe(2), WAIT);
    await writeFile(file, "3");
    await vi.waitFor(() => expect(followed.current).toBe(3), WAIT);
    expect(log.info).toHaveBeenLastCalledWith(
      { number: 3 },
      `the number is replaced: SOME_FILE=${file} has changed`,
    );
    expect(followed.problems()).toEqual([]);
  });

  it("is read again when its permissions change", async () => {
    const { reads } = await given();
    await chmod(file, 0o600);
    await vi.waitFor(() => expect(reads).toHaveBeenCalledTimes(2), WAIT);
  });

  it("keeps what it held when it is bad or gone, says so once, and is not ready until it is good", async () => {
    const { followed, log, reads } = await given();
    await replace("x");
    const problem = `SOME_FILE: ${file} holds no number; the one that was read before`;
    await vi.waitFor(() => expect(followed.problems()).toEqual([`${problem} is in use`]), WAIT);
    await rm(file);
    const before = reads.mock.calls.length;
    await vi.waitFor(() => expect(reads.mock.calls.length).toBeGreaterThan(before + 2), WAIT);
    expect(followed.current).toBe(1);
    expect(log.error.mock.calls).toEqual([[`${problem} stays in use`]]);
    await replace("4");
    await vi.waitFor(() => expect(followed.current).toBe(4), WAIT);
    await vi.waitFor(() => expect(followed.problems()).toEqual([]), WAIT);
  });

  it("must be good at the start", async () => {
    await writeFile(file, "x");
    await expect(given()).rejects.toThrow(new ConfigError([`SOME_FILE: ${file} holds no number`]));
  });
});
