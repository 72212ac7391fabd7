/** The machine and software used for the figures. */
import { cpus, loadavg, release, totalmem } from "node:os";
import { build } from "@quantum/service-kit";
import { Rig } from "./rig.ts";

const SETTINGS = ["appendonly", "appendfsync", "save", "io-threads", "maxmemory"];

export interface Environment {
  date: string;
  commit: string;
  node: string;
  redis: string;
  redisSettings: string;
  machine: string;
  /** Load averages of the last minute, before and after. If the first exceeds the number of cores, others were busy. */
  load: string;
}

export async function readEnvironment(): Promise<Environment> {
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    const settings = await Promise.all(
      SETTINGS.map(async (name) => ((await rig.client.config("GET", name)) as string[]).join("=")),
    );
    const server = await rig.client.info("server");
    return {
      date: new Date().toISOString(),
      commit: build().commit,
      node: process.version,
      redis: /redis_version:(\S+)/.exec(server)?.[1] ?? "unknown",
      redisSettings: settings.join(" "),
      machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
      load: loadNow(),
    };
  } finally {
    await rig.stop();
  }
}

export function loadNow(): string {
  return (loadavg()[0] ?? 0).toFixed(2);
}
