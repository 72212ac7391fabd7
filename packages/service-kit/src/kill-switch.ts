/** Reads the operators' kill switch the way the scripts do (`lua/shared/halted.lua`). A test compares the two. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** @param value null if the key does not exist */
export function isKillSwitchOn(value: string | null): boolean {
  return value !== null && !OFF.test(value);
}

/** Any other value halts. Letters and blanks are ASCII only, as in Lua. */
const OFF = /^[ \t\n\v\f\r]*(0|false|off|no)[ \t\n\v\f\r]*$/i;

export interface KillSwitch {
  on: boolean;
  /** Null if the key does not exist. */
  value: string | null;
}

/**
 * Throws if Redis does not answer. If Redis refuses to read the key, as with one of the wrong type, the switch counts
 * as on.
 */
export async function readKillSwitch(redis: RedisClient, keys: Keys): Promise<KillSwitch> {
  try {
    const value = await redis.get(keys.killSwitch);
    return { on: isKillSwitchOn(value), value };
  } catch (error) {
    if (error instanceof Error && /^(WRONGTYPE|NOPERM)/.test(error.message))
      return { on: true, value: "(not text)" };
    throw error;
  }
}
