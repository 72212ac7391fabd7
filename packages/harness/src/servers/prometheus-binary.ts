/** Finds a real Prometheus: on the PATH, or from the distribution's package, unpacked below `.cache/prometheus`. */
import { join } from "node:path";
import { type DistributionPackage, lastLine, onPath, unpackPackage } from "./distribution-package.ts";

const PROMETHEUS_PACKAGE: DistributionPackage = { name: "prometheus", commands: ["prometheus", "promtool"] };
const CACHE_DIR = join(import.meta.dirname, "../../../../.cache/prometheus");

export interface PrometheusBinaries {
  prometheus: string;
  promtool: string;
}

/**
 * Uses the PATH; otherwise, on Debian and Ubuntu, the distribution's package. Throws an error with a one-line message
 * that says what to install.
 */
export async function findPrometheus(): Promise<PrometheusBinaries> {
  const [prometheus, promtool] = await Promise.all([onPath("prometheus"), onPath("promtool")]);
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool };

  const apt = process.platform === "linux" ? await onPath("apt-get") : undefined;
  if (apt === undefined) throw new Error(installAdvice("they are not on the PATH"));
  try {
    const folder = await unpackPackage(PROMETHEUS_PACKAGE, CACHE_DIR, () => {});
    return { prometheus: join(folder, "prometheus"), promtool: join(folder, "promtool") };
  } catch (error) {
    throw new Error(installAdvice(`fetching the package failed, is the network there? ${lastLine(error)}`), {
      cause: error,
    });
  }
}

function installAdvice(why: string): string {
  return `prometheus and promtool are needed (${why}): install Prometheus with the system's package manager`;
}
