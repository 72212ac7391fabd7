import { findPrometheus } from "./prometheus-binary.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

export interface TestPrometheus extends Pick<WebServer, "stop"> {
  /** For example `http://127.0.0.1:20123`. */
  readonly url: string;
}

/**
 * A private, real Prometheus. Resolves once it answers. `flags` are by their names, without the dashes. Throws with its last
 * lines if it exits before.
 */
export async function startPrometheus(
  config: string,
  flags: Readonly<Record<string, string>> = {},
): Promise<TestPrometheus> {
  const { prometheus } = await findPrometheus();
  const { address, stop } = await startWebServer({
    name: "prometheus",
    binary: prometheus,
    config,
    dataFlag: "storage.tsdb.path",
    flags,
    readyLine: "Server is ready to receive web requests",
  });
  return { url: `http://${address}`, stop };
}
