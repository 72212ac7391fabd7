/** The keys that stop everything, in the order in which every script takes them. */
import { type Keys, utcDay } from "@quantum/contract";

/** Today is the caller's: a disarm of yesterday may count a moment longer, the key without a date always counts. */
export function haltKeys(keys: Keys) {
  return {
    kill_switch: keys.killSwitch,
    disarm: keys.disarm,
    disarm_today: keys.disarmOf(utcDay(Date.now())),
  };
}
