/** Runs a program the way a launcher does (with an IPC channel) and collects its output from the first line. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished, vi } from "vitest";

/** Includes loading the program on a busy machine. */
const WAIT_MS = 15_000;

export interface Line {
  level: number;
  msg: string;
  [field: string]: unknown;
}

/** Starts the program. It is killed when the test ends. `env` is its entire environment. */
export function launch(program: string, env: Record<string, string> = {}, args: string[] = []) {
  const child = fork(join(import.meta.dirname, program), args, { env, silent: true, execArgv: [] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stdout: string[] = [];
  const stderr: string[] = [];
  const records: Line[] = [];
  const { stdout: out, stderr: err } = child;
  if (out === null || err === null) throw new Error("a silent fork has pipes");
  const errLines = createInterface({ input: err }).on("line", (line) => stderr.push(line));
  const outLines = createInterface({ input: out }).on("line", (line) => {
    stdout.push(line);
    if (line.startsWith("{")) records.push(JSON.parse(line) as Line);
  });
  // Not "close", which is not emitted after a disconnect.
  const exited = Promise.all([once(child, "exit"), once(errLines, "close"), once(outLines, "close")]).then(
    ([[code, signal]]) => ({ code, signal }),
  );

  const log = (msg: string | RegExp) =>
    vi.waitFor(
      () => {
        const record = records.find((line) =>
          typeof msg === "string" ? line.msg === msg : msg.test(line.msg),
        );
        if (record === undefined)
          throw new Error(`no record ${msg} in:\n${[...stdout, ...stderr].join("\n")}`);
        return record;
      },
      { timeout: WAIT_MS, interval: 10 },
    );
  return {
    child,
    stdout,
    stderr,
    records,
    exited,
    /** Resolves with the first record that has this message. */
    log,
    /** The URL in its ready record. */
    ready: async () => String((await log(/^ready/))["url"]),
  };
}

export async function get(url: string): Promise<{ status: number; body: string; type: string | null }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.text(), type: response.headers.get("content-type") };
}
