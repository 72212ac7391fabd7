/** A private, real server with a web address: on a free port, with its configuration and data in a temporary folder. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess, spawnGuarded } from "../processes/child-process.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";

export interface WebServer {
  /** For example `127.0.0.1:20123`. */
  readonly address: string;
  /** Sends SIGKILL. Its data is discarded, so nothing needs to be flushed. */
  readonly stop: () => Promise<void>;
}

export interface WebServerOptions {
  name: string;
  binary: string;
  /** The text of its configuration file. */
  config: string;
  /** The flag that names its folder for data, without the dashes, as the following. */
  dataFlag: string;
  flags?: Readonly<Record<string, string>>;
  /** Part of the line that it logs once it answers. */
  readyLine: string;
}

/** Resolves once the server answers. Throws with the server's last lines if it exits before. */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const { name, binary, config, dataFlag, flags = {}, readyLine } = options;
  const dir = await mkdtemp(join(tmpdir(), `quantum-${name}-`));
  const file = join(dir, `${name}.yml`);
  await writeFile(file, config);
  const address = `127.0.0.1:${await freePort()}`;
  const all = {
    "config.file": file,
    [dataFlag]: join(dir, "data"),
    "web.listen-address": address,
    ...flags,
  };
  try {
    const child = await spawnGuarded(
      binary,
      Object.entries(all).map(([flag, value]) => `--${flag}=${value}`),
      { env: {}, ending: "watched" },
    );
    await untilLogged(child, name, readyLine);
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
