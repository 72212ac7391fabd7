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
  /**
   * How the child learns that this process is gone where the guard is gone, too. `channel`: an IPC channel, at whose end
   * our services stop. `watched`: a shell waits beside a program that is not ours, and ends it.
   */
  ending?: "channel" | "watched";
}

/**
 * The shell becomes the program; what it leaves beside it reads fd 3, which says a line when the program has ended and
 * ends without one when this process has. The services, which need a Redis to end well, get some seconds first.
 */
const WATCHED = `
  { read -r ended <&3 || { sleep 5; kill -TERM $$; kill -CONT $$; }; } >/dev/null 2>&1 &
  exec "$0" "$@" 3<&-`;

const running = new Set<ChildProcess>();
let guardInput: Writable | undefined;

/**
 * Starts a child with stdout and stderr piped. A guard process ends it when this process is gone.
 * Throws (rejects) if the command cannot be started.
 */
export async function spawnGuarded(
  command: string,
  args: readonly string[],
  { ending, ...options }: SpawnOptions,
): Promise<GuardedProcess> {
  // The guard first, and its line right after the spawn: nothing is awaited between a child's start and its entry.
  guardInput ??= startGuard();
  // Detached: a Ctrl-C reaches only this process, which ends its children in the order it wants.
  const start = (program: string, words: readonly string[], ...more: ("pipe" | "ipc")[]) =>
    spawn(program, words, {
      ...options,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", ...more],
    }) as unknown as GuardedProcess;
  const child =
    ending === "watched"
      ? start("sh", ["-c", WATCHED, command, ...args], "pipe")
      : start(command, args, ...(ending === "channel" ? (["ipc"] as const) : []));
  if (child.pid !== undefined) {
    const { pid } = child;
    guardInput.write(`+${pid}\n`);
    running.add(child);
    if (ending === "watched") {
      // As with the guard's; and the watcher may be killed.
      const line = child.stdio[3] as unknown as Socket;
      line.on("error", () => undefined).unref();
      // Whoever waits for the child to close waits for this, too.
      child.once("exit", () => line.ref().end("ended\n"));
    }
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
  // A guard that was killed is missed only if this process is killed, too, and children end then without it.
  guard.stdin.on("error", () => undefined);
  return guard.stdin;
}
