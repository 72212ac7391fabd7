import { findAlertmanager } from "./alertmanager-binary.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

export type TestAlertmanager = WebServer;

/** A private, real Alertmanager. Resolves once it answers. Throws with its last lines if it exits before. */
export async function startAlertmanager(config: string): Promise<TestAlertmanager> {
  const { alertmanager } = await findAlertmanager();
  return startWebServer({
    name: "alertmanager",
    binary: alertmanager,
    config,
    dataFlag: "storage.path",
    // It is alone.
    flags: { "cluster.listen-address": "" },
    readyLine: "Listening on",
  });
}
