/** The keys that halt the pipeline, in the order that every script expects. */
import { type Keys, utcDay } from "@quantum/contract";
import { type RedisClient, redisNow } from "@quantum/redis";

const DAY_MS = 86_400_000;
const today = { day: Number.NaN, text: "" };

/** Today, by Redis's clock. Yesterday's disarm may count slightly longer, but the key without a date always counts. */
export function haltKeys(redis: RedisClient, keys: Keys) {
  const nowMs = redisNow(redis);
  // Cached, because every plan needs it and it changes once a day.
  if (Math.floor(nowMs / DAY_MS) !== today.day) {
    today.day = Math.floor(nowMs / DAY_MS);
    today.text = utcDay(nowMs);
  }
  return {
    kill_switch: keys.killSwitch,
    kill_switch_seen: keys.killSwitchSeen,
    disarm: keys.disarm,
    disarm_today: keys.disarmOf(today.text),
  };
}
