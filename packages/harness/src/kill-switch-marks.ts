/** A partition's mark of the wire's kill switch: renewed as an apply-layer does, and what one may hold (lua/shared/halted.lua). */
import { createKeys, type Keys } from "@quantum/contract";
import { askRedisTime, type RedisClient } from "@quantum/redis";
import { every } from "@quantum/service-kit";

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
    await redis.set(key, `${(await askRedisTime(redis)) + offsetMs} ${word}`);
  };
}

const RENEW_MS = 250;
const RENEW = `
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
for _, key in ipairs(KEYS) do redis.call('SET', key, now .. ' running') end`;

/**
 * For partitions on one server without an apply-layer, whose scripts would halt: marks that say "running". Resolves once they
 * are there. With the wire's keys there is nothing to do. A server that does not answer for a while is tried again.
 */
export async function keepRunning(
  redis: RedisClient,
  partitions: readonly Keys[],
): Promise<{ stop: () => Promise<void> }> {
  const marks = partitions
    .filter(({ killSwitch, killSwitchSeen }) => killSwitch !== killSwitchSeen)
    .map(({ killSwitchSeen }) => killSwitchSeen);
  if (marks.length === 0) return { stop: async () => undefined };
  const renew = async () => void (await redis.eval(RENEW, marks.length, ...marks));
  await renew();
  return every(RENEW_MS, renew, () => undefined);
}
