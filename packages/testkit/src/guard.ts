/**
 * A process of its own that outlives the one that started it just long enough to end its children.
 *
 * Reads lines `+<pid>` and `-<pid>` from stdin. Stdin ends when the starter is gone, however it died (SIGKILL
 * included, on Linux and macOS alike); every pid still listed then gets SIGTERM, and after a grace SIGKILL.
 */
import { createInterface } from "node:readline";

/** Longer than a service takes to stop gracefully. */
const GRACE_MS = 5_000;
const POLL_MS = 50;

const pids = new Set<number>();
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) pids.add(pid);
  else pids.delete(pid);
});
lines.on("close", () => {
  for (const pid of pids) {
    send(pid, "SIGTERM");
    // A paused process acts on SIGTERM only once it runs again.
    send(pid, "SIGCONT");
  }
  const deadline = Date.now() + GRACE_MS;
  const timer = setInterval(() => {
    const late = Date.now() >= deadline;
    for (const pid of pids) if (!send(pid, late ? "SIGKILL" : 0)) pids.delete(pid);
    if (pids.size === 0) clearInterval(timer);
  }, POLL_MS);
});

/** False once the process is gone. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
