/** Children that never outlive this process, however it dies. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

export type GuardedProcess = ChildProcessByStdio<null, Readable, Readable>;

export interface SpawnOptions {
  /** The whole environment of the child: nothing is inherited. */
  env: Record<string, string>;
  cwd?: string;
}

const running = new Set<ChildProcess>();
let guardInput: Writable | undefined;

/**
 * Starts a child with stdout and stderr piped. A guard process ends it when this process is gone.
 * Throws (rejects) if the command cannot be started.
 */
export async function spawnGuarded(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<GuardedProcess> {
  // The guard first, and its line right after the spawn: nothing is awaited between a child's start and its entry.
  guardInput ??= startGuard();
  // Detached: a Ctrl-C reaches only this process, which ends its children in the order it wants.
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  if (child.pid !== undefined) {
    const { pid } = child;
    guardInput.write(`+${pid}\n`);
    running.add(child);
    child.once("exit", () => {
      running.delete(child);
      guardInput?.write(`-${pid}\n`);
    });
  }
  await once(child, "spawn");
  return child;
}

/** Ends the child with `signal` (a paused one too) and resolves once it is gone and its output is read. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (!running.has(child)) return;
  const closed = once(child, "close");
  child.kill(signal);
  child.kill("SIGCONT");
  await closed;
}

/** The children that run now, as `pid command`. */
export function runningProcesses(): string[] {
  return [...running].map((child) => `${child.pid} ${child.spawnargs.join(" ")}`);
}

/** Ends whatever still runs, without grace. */
export async function killRunningProcesses(): Promise<void> {
  await Promise.all([...running].map((child) => endProcess(child, "SIGKILL")));
}

/** One for all children. Detached, so that a Ctrl-C or a kill of the terminal's group leaves it its work. */
function startGuard(): Writable {
  const guard = spawn(process.execPath, [join(import.meta.dirname, "guard.ts")], {
    stdio: ["pipe", "ignore", "inherit"],
    detached: true,
  });
  guard.unref();
  // A pipe to a child is a socket; it alone would keep this process alive.
  (guard.stdin as Socket).unref();
  return guard.stdin;
}
