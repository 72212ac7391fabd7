/** A pipeline of the launcher, as its `run.json` says. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { withoutCredentials } from "@quantum/operator";
import { z } from "zod";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";

export interface Run {
  redisUrl: string;
  /** How many there are, as long as Redis does not say. */
  partitions: number | undefined;
  /** Where its operator's key is, and what its executor expects an exit to name. */
  exit: z.output<typeof runExit> | undefined;
  /** Where its services were when they started. */
  serviceUrls: readonly string[];
  /** Which one it is, for people. */
  shown: string;
}

const runExit = z.object({
  keysFolder: z.string(),
  mode: z.string(),
  venue: z.string(),
  account: z.string(),
});

const runFile = z.object({
  pid: z.number().optional(),
  ports: z.record(z.string(), z.number()).default({}),
  redis: z.object({ url: z.string(), partitions: z.number().optional() }),
  exit: runExit.optional(),
});

const CHECKOUT = join(import.meta.dirname, "../../..");

/** @throws {@link CommandError} if the file describes none */
export async function runIn(file: string): Promise<Run> {
  const found = await read(file);
  if (found === undefined) throw new CommandError(EXIT.usage, `--run: ${file} describes no running pipeline`);
  return found.run;
}

/** Undefined if none runs. Where the launcher keeps the file: `cacheDir` of cli/start. */
export async function runOfCheckout(env: Host["env"]): Promise<Run | undefined> {
  const found = await read(join(env["QUANTUM_CACHE_DIR"] ?? join(CHECKOUT, ".cache"), "run.json"));
  // A launcher that was killed has left its file.
  return found !== undefined && isAlive(found.pid) ? found.run : undefined;
}

async function read(file: string): Promise<{ run: Run; pid: number | undefined } | undefined> {
  try {
    const { pid, ports, redis, exit } = runFile.parse(JSON.parse(await readFile(file, "utf8")));
    const serviceUrls = Object.values(ports).map((port) => `http://127.0.0.1:${port}`);
    const shown = `${file}, Redis ${withoutCredentials(redis.url)}`;
    return { pid, run: { redisUrl: redis.url, partitions: redis.partitions, exit, serviceUrls, shown } };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
