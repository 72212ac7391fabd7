import { createInterface } from "node:readline";
import { endProcess, type GuardedProcess } from "./child-process.ts";
import { patienceMs } from "./patience.ts";

/** Includes loading the append-only file of a long test. */
const START_TIMEOUT_MS = 10_000;
/** How much of the server's output an error shows. */
const LOG_LINES = 20;

/** Resolves once the server logs `text`. If it exits or times out before, ends it and throws with its last lines. */
export async function untilLogged(child: GuardedProcess, name: string, text: string): Promise<void> {
  const log: string[] = [];
  const ready = Promise.withResolvers<void>();
  const fail = (why: string) => ready.reject(new Error(`${name} ${why}:\n${log.join("\n")}`));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      log.push(line);
      if (log.length > LOG_LINES) log.shift();
      if (line.includes(text)) ready.resolve();
    });
  }
  child.once("close", (code, signal) => fail(`ended with ${code ?? signal} before it was ready`));
  const timeoutMs = patienceMs(START_TIMEOUT_MS);
  const timer = setTimeout(() => fail(`was not ready within ${timeoutMs} ms`), timeoutMs);
  try {
    await ready.promise;
  } catch (error) {
    await endProcess(child, "SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
