/** What a partition's mark of the wire's kill switch may hold, and what scripts must make of it (lua/shared/halted.lua). */
import { createKeys, type Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** The wire's keys, with a mark of its own as a partition has it. */
export const MARKED: Keys = { ...createKeys(), killSwitchSeen: createKeys({ partition: 3 }).killSwitchSeen };

export interface MarkCase {
  mark: string;
  /** Why it halts; undefined: it does not. */
  halts: "kill_switch_active" | "kill_switch_unread" | undefined;
  write: (redis: RedisClient, key: string) => Promise<unknown>;
}

const UNREAD = "kill_switch_unread";

export const MARK_CASES: readonly MarkCase[] = [
  { mark: "running", halts: undefined, write: written("running", 0) },
  { mark: "running, of 2 s ago", halts: undefined, write: written("running", -2_000) },
  { mark: "running, of more than 5 s ago", halts: UNREAD, write: written("running", -5_001) },
  { mark: "running, of a day ago", halts: UNREAD, write: written("running", -86_400_000) },
  { mark: "running, in the future", halts: UNREAD, write: written("running", 60_000) },
  { mark: "halted", halts: "kill_switch_active", write: written("halted", 0) },
  { mark: "halted, of more than 5 s ago", halts: UNREAD, write: written("halted", -5_001) },
  { mark: "another word", halts: UNREAD, write: written("maybe", 0) },
  { mark: "no word", halts: UNREAD, write: written("", 0) },
  { mark: "no time", halts: UNREAD, write: (redis, key) => redis.set(key, "running") },
  { mark: "a time that is none", halts: UNREAD, write: (redis, key) => redis.set(key, "1e99 running") },
  { mark: "no text", halts: UNREAD, write: (redis, key) => redis.set(key, "") },
  { mark: "a list", halts: UNREAD, write: (redis, key) => redis.lpush(key, "running") },
  { mark: "none", halts: UNREAD, write: (redis, key) => redis.del(key) },
];

/** By that Redis's clock. */
function written(word: string, offsetMs: number): MarkCase["write"] {
  return async (redis, key) => {
    const [seconds, micros] = await redis.time();
    const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    await redis.set(key, `${nowMs + offsetMs} ${word}`);
  };
}
