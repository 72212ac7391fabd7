/** A private, real Prometheus on a free port, with its data in a temporary folder. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess, spawnGuarded } from "../processes/child-process.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";
import { findPrometheus } from "./prometheus-binary.ts";

export interface TestPrometheus {
  /** For example `http://127.0.0.1:20123`. */
  readonly url: string;
  /** Sends SIGKILL. Its data is discarded, so nothing needs to be flushed. */
  stop(): Promise<void>;
}

/**
 * Resolves once the server answers. `settings` are flags by their names, without the dashes. Throws with the server's
 * last lines if it exits before.
 */
export async function startPrometheus(
  config: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPrometheus> {
  const { prometheus } = await findPrometheus();
  const dir = await mkdtemp(join(tmpdir(), "quantum-prometheus-"));
  const file = join(dir, "prometheus.yml");
  await writeFile(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const flags = {
    "config.file": file,
    "storage.tsdb.path": join(dir, "data"),
    "web.listen-address": address,
    ...settings,
  };
  try {
    const child = await spawnGuarded(
      prometheus,
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { env: {}, ending: "watched" },
    );
    await untilLogged(child, "prometheus", "Server is ready to receive web requests");
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
