import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { endProcess, runningProcesses, spawnGuarded, type SpawnOptions } from "./child-process.ts";
import { shellWord } from "./shell-word.ts";

const MODULE = pathToFileURL(join(import.meta.dirname, "child-process.ts")).href;

/** A named pipe that a child keeps open for writing. Its reader sees the end when the child is gone. */
async function lifeline() {
  const dir = await mkdtemp(join(tmpdir(), "quantum-lifeline-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "pipe");
  execFileSync("mkfifo", [path]);
  return { path, ended: once(createReadStream(path).resume(), "end").then(() => true) };
}

/** A process that starts a shell as a guarded child, does `next` when the child is ready, and keeps running. */
function startParent(childScript: string, next: string, ending?: SpawnOptions["ending"]): ChildProcess {
  const script = `
    const { spawnGuarded } = await import(${JSON.stringify(MODULE)});
    const child = await spawnGuarded("sh", ["-c", ${JSON.stringify(childScript)}], { env: {}, ending: ${JSON.stringify(ending)} });
    child.stdout.once("data", async () => { ${next} });
  `;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "inherit" });
  onTestFinished(() => void parent.kill("SIGKILL"));
  return parent;
}

describe("spawnGuarded", () => {
  it("ends the child when its parent is killed", async () => {
    const { path, ended } = await lifeline();
    startParent(
      `exec 3>${shellWord(path)}; echo ready; exec sleep 600`,
      `process.kill(process.pid, "SIGKILL")`,
    );
    expect(await ended).toBe(true);
  });

  it("ends a program that is watched when first the guard is killed and then its parent", async () => {
    const { path, ended } = await lifeline();
    startParent(
      `exec 3>${shellWord(path)}; echo ready; exec sleep 600`,
      `const { execFileSync } = await import("node:child_process");
       process.kill(Number(execFileSync("pgrep", ["-f", "-P", String(process.pid), "guard.ts"])), "SIGKILL");
       process.kill(process.pid, "SIGKILL")`,
      "watched",
    );
    expect(await ended).toBe(true);
  });

  it("ends a paused child when its parent ends by itself", async () => {
    const { path, ended } = await lifeline();
    startParent(
      `exec 3>${shellWord(path)}; echo ready; exec sleep 600`,
      `process.kill(child.pid, "SIGSTOP"); process.exit(0)`,
    );
    expect(await ended).toBe(true);
  });

  it("kills a child that ignores SIGTERM", async () => {
    const { path, ended } = await lifeline();
    startParent(
      `exec 3>${shellWord(path)}; trap "" TERM; echo ready; while :; do sleep 1 3>&-; done`,
      `process.kill(process.pid, "SIGKILL")`,
    );
    expect(await ended).toBe(true);
  });

  it("rejects when the command cannot be started", async () => {
    await expect(spawnGuarded("/no/such/command", [], { env: {} })).rejects.toThrow("ENOENT");
  });

  it("lists a child until it has ended", async () => {
    const child = await spawnGuarded("sleep", ["600"], { env: {} });
    expect(runningProcesses()).toEqual([`${child.pid} sleep 600`]);
    await endProcess(child, "SIGTERM");
    expect(runningProcesses()).toEqual([]);
  });

  it("inherits nothing of the environment", async () => {
    const child = await spawnGuarded("/usr/bin/env", [], { env: { ONLY: "this" } });
    const output = Array.fromAsync(createInterface({ input: child.stdout }));
    const [lines] = await Promise.all([output, once(child, "close")]);
    expect(lines).toEqual(["ONLY=this"]);
  });
});
