/** A wall clock for a redis-server that tests may step: a library that is preloaded into it (clock-shim.c). */
import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onPath } from "./distribution-package.ts";

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, "clock-shim.c");

export interface RedisClockShim {
  /** Environment of the server. */
  env: Record<string, string>;
  /** From now on its wall clock is so many ms ahead of the truth. */
  shift(ms: number): Promise<void>;
}

/** Whether such a clock can be made here: on Linux, with gcc on the PATH. */
export async function canShiftRedisClock(): Promise<boolean> {
  return process.platform === "linux" && (await onPath("gcc")) !== undefined;
}

/** @param dir takes the library and the file that it looks at */
export async function createRedisClockShim(dir: string): Promise<RedisClockShim> {
  if (!(await canShiftRedisClock()))
    throw new Error("a step of Redis's clock needs Linux and gcc: install gcc, or leave it out");
  const library = join(dir, "clock-shim.so");
  const file = join(dir, "clock-shim");
  await run("gcc", ["-O2", "-shared", "-fPIC", "-o", library, SOURCE]);
  const shift = async (ms: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms));
    // In place: the server has the file mapped.
    const handle = await open(file, "a+").then(async (made) => (await made.close(), open(file, "r+")));
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.close();
  };
  await shift(0);
  return { env: { LD_PRELOAD: library, CLOCK_SHIM_FILE: file }, shift };
}
