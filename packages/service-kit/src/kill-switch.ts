/** The operators' kill switch, read as the scripts read it (`lua/shared/halted.lua`); a test compares the two. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** Everything else halts. Lua knows no letters and blanks but those of ASCII, so neither does this. */
const OFF = /^[ \t\n\v\f\r]*(0|false|off|no)[ \t\n\v\f\r]*$/i;

export interface KillSwitch {
  on: boolean;
  /** Null if there is no such key. */
  value: string | null;
}

/** Throws if Redis does not answer. A key that Redis refuses to read halts, as one of the wrong type does. */
export async function readKillSwitch(redis: RedisClient, keys: Keys): Promise<KillSwitch> {
  try {
    const value = await redis.get(keys.killSwitch);
    return { on: value !== null && !OFF.test(value), value };
  } catch (error) {
    if (error instanceof Error && /^(WRONGTYPE|NOPERM)/.test(error.message))
      return { on: true, value: "(not text)" };
    throw error;
  }
}
