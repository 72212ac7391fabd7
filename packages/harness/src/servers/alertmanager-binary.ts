/** Finds a real Alertmanager: on the PATH, or from the distribution's package, unpacked below `.cache/alertmanager`. */
import { join } from "node:path";
import { type DistributionPackage, lastLine, onPath, unpackPackage } from "./distribution-package.ts";

/** Debian's name for the server; its makers' is `alertmanager`. */
const DEBIAN_COMMAND = "prometheus-alertmanager";
const ALERTMANAGER_PACKAGE: DistributionPackage = {
  name: "prometheus-alertmanager",
  commands: [DEBIAN_COMMAND, "amtool"],
  // Its templates.
  compiledIn: "/usr/share/prometheus/alertmanager",
};
const CACHE_DIR = join(import.meta.dirname, "../../../../.cache/alertmanager");

export interface AlertmanagerBinaries {
  alertmanager: string;
  amtool: string;
}

/**
 * Uses the PATH; otherwise, on Debian and Ubuntu, the distribution's package. Throws an error with a one-line message
 * that says what to install.
 */
export async function findAlertmanager(): Promise<AlertmanagerBinaries> {
  const [named, debian, amtool] = await Promise.all(["alertmanager", DEBIAN_COMMAND, "amtool"].map(onPath));
  const alertmanager = named ?? debian;
  if (alertmanager !== undefined && amtool !== undefined) return { alertmanager, amtool };

  const apt = process.platform === "linux" ? await onPath("apt-get") : undefined;
  if (apt === undefined) throw new Error(installAdvice("they are not on the PATH"));
  try {
    const folder = await unpackPackage(ALERTMANAGER_PACKAGE, CACHE_DIR, () => {});
    return { alertmanager: join(folder, DEBIAN_COMMAND), amtool: join(folder, "amtool") };
  } catch (error) {
    throw new Error(installAdvice(`fetching the package failed, is the network there? ${lastLine(error)}`), {
      cause: error,
    });
  }
}

function installAdvice(why: string): string {
  return `alertmanager and amtool are needed (${why}): install Alertmanager with the system's package manager`;
}
