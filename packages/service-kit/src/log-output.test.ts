/** A service whose log is not read: a real process whose output is read when the test says so. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get } from "./launch.fixture.ts";

const PROGRAM = join(import.meta.dirname, "talkative.fixture.ts");
const WAIT = { timeout: 15_000, interval: 10 };
/** Lines of more than 250 bytes: more than fit into a pipe and the backlog. */
const MANY = 10_000;
/** More than fit into a pipe, fewer than fit into the backlog. */
const SOME = 2_000;

interface Said {
  msg: string;
  said?: number;
  dropped?: number;
}

interface Unread {
  url: string;
  exited: Promise<unknown[]>;
  stderr: Promise<string>;
  /** Starts reading; resolves at the end of the output. */
  read: () => Promise<Said[]>;
}

/** Started as by a launcher: its stdout is a socket. */
async function givenSocket(): Promise<Unread> {
  const child = fork(PROGRAM, { env: {}, silent: true, execArgv: [] });
  const { stdout, stderr } = child as ChildProcess & { stdout: Readable; stderr: Readable };
  onTestFinished(() => void child.kill("SIGKILL"));
  const [first] = (await once(stdout, "data")) as [Buffer];
  stdout.pause();
  return { ...childOf(child, String(first), stderr), read: () => records(stdout) };
}

/** Started as by a shell: its stdout is a pipe. After the first record the reader waits for a line on fd 3. */
async function givenPipe(): Promise<Unread> {
  const reader = `{ read -r first; echo "$first"; read -r go <&3; cat; }`;
  const child = spawn(
    "bash",
    ["-c", `set -o pipefail; "$0" "$1" 3<&- | ${reader}`, process.execPath, PROGRAM],
    {
      env: { PATH: process.env["PATH"] ?? "" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    },
  );
  onTestFinished(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  });
  const { stdout, stderr } = child as unknown as ChildProcess & { stdout: Readable; stderr: Readable };
  const [first] = (await once(stdout, "data")) as [Buffer];
  const read = () => {
    (child.stdio[3] as Writable).end("go\n");
    return records(stdout);
  };
  return { ...childOf(child, String(first), stderr), read };
}

function childOf(child: ChildProcess, ready: string, stderr: Readable) {
  const { url } = JSON.parse(ready) as { url: string };
  return { url, exited: once(child, "exit"), stderr: text(stderr) };
}

async function records(stdout: Readable): Promise<Said[]> {
  const all: Said[] = [];
  for await (const line of createInterface({ input: stdout })) all.push(JSON.parse(line) as Said);
  return all;
}

async function droppedOf(url: string): Promise<number> {
  const { body } = await get(`${url}/metrics`);
  return Number(/^quantum_log_lines_dropped_total (\d+)$/m.exec(body)?.[1]);
}

const numbersOf = (read: Said[]) => read.flatMap(({ said }) => said ?? []);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("a service whose log nobody reads", () => {
  it.each([
    ["socket", givenSocket],
    ["pipe", givenPipe],
  ])(
    "goes on where it is a %s, and says then how many lines are missing, where they are",
    async (_, given) => {
      const { url, read } = await given();
      await get(`${url}/say/${MANY}`);
      expect(await get(`${url}/healthz`)).toMatchObject({ status: 200 });
      expect(await droppedOf(url)).toBeGreaterThan(0);
      const reading = read();
      // Lines are dropped until the whole backlog has been read.
      await vi.waitFor(async () => {
        const dropped = await droppedOf(url);
        await get(`${url}/say/1`);
        expect(await droppedOf(url)).toBe(dropped);
      }, WAIT);
      await get(`${url}/stop`);
      const all = await reading;
      const gap = all.findIndex(({ dropped }) => dropped !== undefined);
      const missing = all[gap]?.dropped ?? 0;
      const before = numbersOf(all.slice(0, gap));
      const after = numbersOf(all.slice(gap));
      expect(all[gap]?.msg).toBe(`${missing} log lines dropped: nobody read this output for a while`);
      expect(before).toEqual(upTo(before.length));
      expect(after[0]).toBe(before.length + missing + 1);
      expect(all.at(-1)?.msg).toBe("stopped");
    },
  );

  it("keeps what its reader takes in late, to the last line", async () => {
    const { url, read } = await givenSocket();
    await get(`${url}/say/${SOME}`);
    await get(`${url}/stop`);
    const all = await read();
    expect(numbersOf(all)).toEqual(upTo(SOME));
    expect(all.at(-1)?.msg).toBe("stopped");
  });

  it("has written its last line, and the error on stderr, when an error ends it", async () => {
    const { url, read, stderr } = await givenSocket();
    await get(`${url}/say/${SOME}`);
    const all = read();
    await get(`${url}/fail`).catch(() => undefined);
    expect(await stderr).toContain("Error: its last words");
    expect((await all).at(-1)?.msg).toBe("about to fail");
  });

  it("ends when it is told to", async () => {
    const { url, exited } = await givenSocket();
    await get(`${url}/say/${MANY}`);
    await get(`${url}/stop`);
    expect(await exited).toEqual([0, null]);
  });
});
