/** Reads the operators' kill switch, and a partition's mark of it, the way the scripts do (`lua/shared/halted.lua`). Tests compare them. */
import type { Keys } from "@quantum/contract";
import { askRedisTime, type RedisClient } from "@quantum/redis";

/** Any other value halts. Letters and blanks are ASCII only, as in Lua. */
const OFF = /^[ \t\n\v\f\r]*(0|false|off|no)[ \t\n\v\f\r]*$/i;

/** @param value null if the key does not exist */
export function isKillSwitchOn(value: string | null): boolean {
  return value !== null && !OFF.test(value);
}

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
    if (isRefused(error)) return { on: true, value: "(not text)" };
    throw error;
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && /^(WRONGTYPE|NOPERM)/.test(error.message);
}

/** What a partition's scripts take the wire's kill switch for. Anything but `running` halts. */
export type KillSwitchSeen = "running" | "halted" | "unread";

const SEEN_WITHIN_MS = 5_000;

/** Reads a partition's mark of the wire's kill switch. In the wire's layout there is none, and nothing is asked. */
export async function readKillSwitchSeen(redis: RedisClient, keys: Keys): Promise<KillSwitchSeen> {
  if (keys.killSwitchSeen === keys.killSwitch) return "running";
  const text = await redis.get(keys.killSwitchSeen).catch((error: unknown) => {
    if (isRefused(error)) return null;
    throw error;
  });
  // After the mark, which would else look as if it were in the future.
  const nowMs = await askRedisTime(redis);
  const [, atMs, word] = /^(\d+) (running|halted)$/.exec(text ?? "") ?? [];
  const ageMs = nowMs - Number(atMs);
  return ageMs >= 0 && ageMs <= SEEN_WITHIN_MS ? (word as KillSwitchSeen) : "unread";
}
