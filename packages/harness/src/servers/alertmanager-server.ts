/** A private, real Alertmanager on a free port, with its data in a temporary folder. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess, spawnGuarded } from "../processes/child-process.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";
import { findAlertmanager } from "./alertmanager-binary.ts";

export interface TestAlertmanager {
  /** For example `127.0.0.1:20123`. */
  readonly address: string;
  /** Sends SIGKILL. Its data is discarded, so nothing needs to be flushed. */
  stop(): Promise<void>;
}

/** Resolves once the server answers. Throws with the server's last lines if it exits before. */
export async function startAlertmanager(config: string): Promise<TestAlertmanager> {
  const { alertmanager } = await findAlertmanager();
  const dir = await mkdtemp(join(tmpdir(), "quantum-alertmanager-"));
  const file = join(dir, "alertmanager.yml");
  await writeFile(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const flags = {
    "config.file": file,
    "storage.path": join(dir, "data"),
    "web.listen-address": address,
    // It is alone.
    "cluster.listen-address": "",
  };
  try {
    const child = await spawnGuarded(
      alertmanager,
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { env: {}, ending: "watched" },
    );
    await untilLogged(child, "alertmanager", "Listening on");
    return {
      address,
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
