/** A redis-server whose wall clock tests can step, through a preloaded library (clock-shim.c). */
import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onPath } from "./distribution-package.ts";

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, "clock-shim.c");

export interface RedisClockShim {
  /** The server's environment. */
  env: Record<string, string>;
  /** Sets its wall clock this many ms ahead of the real time. */
  shift(ms: number): Promise<void>;
}

/** Whether this machine supports it: Linux, with gcc on the PATH. */
export async function canShiftRedisClock(): Promise<boolean> {
  return process.platform === "linux" && (await onPath("gcc")) !== undefined;
}

/** @param dir where the library and its control file are written */
export async function createRedisClockShim(dir: string): Promise<RedisClockShim> {
  if (!(await canShiftRedisClock()))
    throw new Error("a step of Redis's clock needs Linux and gcc: install gcc, or leave it out");
  const library = join(dir, "clock-shim.so");
  const file = join(dir, "clock-shim");
  await run("gcc", ["-O2", "-shared", "-fPIC", "-o", library, SOURCE]);
  const shift = async (ms: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms));
    // Written in place, because the server has the file mapped.
    const handle = await open(file, "a+").then(async (made) => (await made.close(), open(file, "r+")));
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.close();
  };
  await shift(0);
  return { env: { LD_PRELOAD: library, CLOCK_SHIM_FILE: file }, shift };
}
