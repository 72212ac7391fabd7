/** A real Prometheus of one's own, on a free port, its data in a temporary folder. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, type GuardedProcess, spawnGuarded } from "../processes/child-process.ts";
import { freePort } from "../processes/free-port.ts";
import { patienceMs } from "../processes/patience.ts";
import { findPrometheus } from "./prometheus-binary.ts";

const START_TIMEOUT_MS = 10_000;
/** What an error shows of the server's log. */
const LOG_LINES = 20;

export interface TestPrometheus {
  /** As `http://127.0.0.1:20123`. */
  readonly url: string;
  /** SIGKILL: its data is thrown away, so nothing needs to be written down. */
  stop(): Promise<void>;
}

/** Resolves once the server answers. Throws with the server's last words if it ends before. */
export async function startPrometheus(config: string): Promise<TestPrometheus> {
  const { prometheus } = await findPrometheus();
  const dir = await mkdtemp(join(tmpdir(), "quantum-prometheus-"));
  const file = join(dir, "prometheus.yml");
  await writeFile(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const flags = {
    "config.file": file,
    "storage.tsdb.path": join(dir, "data"),
    "web.listen-address": address,
  };
  try {
    const child = await spawnGuarded(
      prometheus,
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { env: {}, ending: "watched" },
    );
    await untilReady(child);
    return {
      url: `http://${address}`,
      async stop() {
        await endProcess(child, "SIGKILL");
        await rm(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function untilReady(child: GuardedProcess): Promise<void> {
  const log: string[] = [];
  const ready = Promise.withResolvers<void>();
  const fail = (why: string) => ready.reject(new Error(`prometheus ${why}:\n${log.join("\n")}`));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      log.push(line);
      if (log.length > LOG_LINES) log.shift();
      if (line.includes("Server is ready to receive web requests")) ready.resolve();
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
