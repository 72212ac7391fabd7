/** The keys that halt everything, in the order in which every script takes them. */
import { type Keys, utcDay } from "@quantum/contract";
import { type RedisClient, redisNow } from "@quantum/redis";

const DAY_MS = 86_400_000;
const today = { day: Number.NaN, text: "" };

/** Today by Redis's clock: yesterday's disarm may count a moment longer; the key without a date always counts. */
export function haltKeys(redis: RedisClient, keys: Keys) {
  const nowMs = redisNow(redis);
  // Used for each plan, and the same all day.
  if (Math.floor(nowMs / DAY_MS) !== today.day) {
    today.day = Math.floor(nowMs / DAY_MS);
    today.text = utcDay(nowMs);
  }
  return {
    kill_switch: keys.killSwitch,
    disarm: keys.disarm,
    disarm_today: keys.disarmOf(today.text),
  };
}
