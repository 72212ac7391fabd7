/** Child processes that never outlive this process, however it ends. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

export type GuardedProcess = ChildProcessByStdio<null, Readable, Readable>;

export interface SpawnOptions {
  /** The child's whole environment. It inherits nothing. */
  env: Record<string, string>;
  cwd?: string;
  /**
   * How the child notices that this process is gone, even if the guard is gone too. `channel`: an IPC channel; our
   * services stop when it closes. `watched`: a shell process watches a program that is not ours, and ends it.
   */
  ending?: "channel" | "watched";
}

/**
 * The shell starts a watcher and then becomes the program. The watcher reads fd 3: a line if the program ended, end of
 * file if this process ended. It then waits some seconds before it ends the program, because the services need Redis
 * for a graceful stop.
 */
const WATCHED = `
  { read -r ended <&3 || { sleep 5; kill -TERM $$; kill -CONT $$; }; } >/dev/null 2>&1 &
  exec "$0" "$@" 3<&-`;

const running = new Set<ChildProcess>();
let guardInput: Writable | undefined;

/**
 * Starts a child with piped stdout and stderr. A guard process ends it if this process ends. Rejects if the command
 * cannot be started.
 */
export async function spawnGuarded(
  command: string,
  args: readonly string[],
  { ending, ...options }: SpawnOptions,
): Promise<GuardedProcess> {
  // Start the guard first and register the child right after the spawn: with no await between them, no child is
  // unregistered.
  guardInput ??= startGuard();
  // Detached, so that Ctrl-C only reaches this process, which ends its children in order.
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
      // Ignore errors: the watcher may have been killed. As with the guard, this pipe must not keep the process alive.
      const line = child.stdio[3] as unknown as Socket;
      line.on("error", () => undefined).unref();
      // Waiting for the child to close includes waiting for this.
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

/** Ends the child with `signal`, even if it is paused. Resolves once it has exited and its output is read. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (!running.has(child)) return;
  const closed = once(child, "close");
  child.kill(signal);
  child.kill("SIGCONT");
  await closed;
}

/** The running children, as `pid command`. */
export function runningProcesses(): string[] {
  return [...running].map((child) => `${child.pid} ${child.spawnargs.join(" ")}`);
}

/** Kills all running children. */
export async function killRunningProcesses(): Promise<void> {
  await Promise.all([...running].map((child) => endProcess(child, "SIGKILL")));
}

/**
 * Starts the one guard for all children. Detached, so that Ctrl-C or a kill of the terminal's process group does not
 * end it.
 */
function startGuard(): Writable {
  const guard = spawn(process.execPath, [join(import.meta.dirname, "guard.ts")], {
    stdio: ["pipe", "ignore", "inherit"],
    detached: true,
  });
  guard.unref();
  // A pipe to a child is a socket, which would keep this process alive.
  (guard.stdin as Socket).unref();
  // If the guard is killed, it is only missed if this process is killed too. Then the children's own `ending` applies.
  guard.stdin.on("error", () => undefined);
  return guard.stdin;
}
