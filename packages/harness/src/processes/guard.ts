/**
 * A separate process that outlives its parent just long enough to end the parent's children.
 *
 * Reads lines `+<pid>` and `-<pid>` from stdin. Stdin ends when the parent is gone, however it died (SIGKILL included,
 * on Linux and macOS). Every pid still listed then gets SIGTERM, one at a time, and SIGKILL after a grace period.
 */
import { createInterface } from "node:readline";

/** Longer than all of them need for a graceful stop. */
const GRACE_MS = 5_000;
const POLL_MS = 20;

const pids = new Set<number>();
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) pids.add(pid);
  else pids.delete(pid);
});
lines.on("close", () => {
  const deadline = Date.now() + GRACE_MS;
  let asked: number | undefined;
  // Youngest first, one at a time: older processes serve younger ones, and a service needs its Redis to stop quickly.
  const timer = setInterval(() => {
    if (Date.now() >= deadline) {
      for (const pid of pids) send(pid, "SIGKILL");
      pids.clear();
    }
    const youngest = [...pids].at(-1);
    if (youngest === undefined) clearInterval(timer);
    else if (youngest !== asked) {
      asked = youngest;
      send(youngest, "SIGTERM");
      // A paused process only handles SIGTERM after SIGCONT.
      send(youngest, "SIGCONT");
    } else if (!send(youngest, 0)) pids.delete(youngest);
  }, POLL_MS);
});

/** False if the process is gone. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
