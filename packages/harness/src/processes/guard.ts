/**
 * A process of its own that outlives the one that started it just long enough to end its children.
 *
 * Reads lines `+<pid>` and `-<pid>` from stdin. Stdin ends when the starter is gone, however it died (SIGKILL
 * included, on Linux and macOS alike); every pid still listed then gets SIGTERM, one after another, and after a grace
 * SIGKILL.
 */
import { createInterface } from "node:readline";

/** Longer than all of them take to stop gracefully. */
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
  // The youngest first, and the next one when it is gone: what was started early serves what came later, and a service
  // ends at once only while its Redis is there.
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
      // A paused process acts on SIGTERM only once it runs again.
      send(youngest, "SIGCONT");
    } else if (!send(youngest, 0)) pids.delete(youngest);
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
