/** The operator in scenario `kill-switch`: turns it on after a third of the plans, and off after another third. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Halt, History } from "@quantum/harness";

/** For an endless run, a third of this many. */
const LIVE_PLANS = 60;

export interface KillSwitch {
  /** When it was on, by Redis's clock; Infinity while it still is. */
  readonly halts: readonly Halt[];
  /** Turns it off if it is on, and stops. */
  stop(): Promise<void>;
}

export function operateKillSwitch(
  redis: RedisClient,
  keys: Keys,
  history: History,
  plans: number | undefined,
  say: (text: string) => void,
): KillSwitch {
  const third = Math.max(1, Math.floor((plans ?? LIVE_PLANS) / 3));
  const halts: Halt[] = [];
  let state: "before" | "set" | "over" = "before";
  let moving: Promise<void> = Promise.resolve();

  const set = async () => {
    // TIME is in the same transaction, so that no other command comes between.
    const replies = await redis.multi().set(keys.killSwitch, "1").time().exec();
    halts.push({ fromMs: timeOf(replies?.[1]), toMs: Number.POSITIVE_INFINITY });
    say(`kill switch: SET ${keys.killSwitch} 1`);
  };
  const clear = async () => {
    const replies = await redis.multi().time().del(keys.killSwitch).exec();
    const halt = halts.at(-1);
    if (halt !== undefined) halt.toMs = timeOf(replies?.[0]);
    say(`kill switch: DEL ${keys.killSwitch}`);
  };
  const look = () => {
    if (state === "before" && history.ended.size >= third) {
      state = "set";
      moving = moving.then(set);
    } else if (state === "set" && history.ended.size >= 2 * third) {
      state = "over";
      moving = moving.then(clear);
    }
  };
  history.on("result", look);
  return {
    halts,
    async stop() {
      history.off("result", look);
      if (state === "set") moving = moving.then(clear);
      state = "over";
      await moving;
    },
  };
}

function timeOf(reply: [Error | null, unknown] | undefined): number {
  const [error, time] = reply ?? [];
  if (error || !Array.isArray(time)) throw new Error("Redis did not return its time", { cause: error });
  const [seconds, micros] = time as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
