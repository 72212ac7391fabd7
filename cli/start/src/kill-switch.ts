/** The operator in scenario `kill-switch`: turns it on after a third of the plans, and off after another third. */
import { createKeys } from "@quantum/contract";
import type { Halt, History, PipelineRedis } from "@quantum/harness";
import { wholeMs } from "@quantum/redis";

/** For an endless run, a third of this many. */
const LIVE_PLANS = 60;

export interface KillSwitch {
  /** When it was on, by Redis's clock; Infinity while it still is. */
  readonly halts: readonly Halt[];
  /** Turns it off if it is on, and stops. */
  stop(): Promise<void>;
}

export function operateKillSwitch(
  stored: PipelineRedis,
  history: History,
  plans: number | undefined,
  say: (text: string) => void,
): KillSwitch {
  const third = Math.max(1, Math.floor((plans ?? LIVE_PLANS) / 3));
  const halts: Halt[] = [];
  let state: "before" | "set" | "over" = "before";
  let moving: Promise<void> = Promise.resolve();

  const switches = switchesOf(stored);
  const names = switches.map(({ key }) => key).join(", ");
  const set = async () => {
    const times = await Promise.all(
      switches.map(async ({ redis, key }) => {
        // TIME is in the same transaction, so that no other command comes between.
        const replies = await redis.multi().set(key, "1").time().exec();
        return timeOf(replies?.[1]);
      }),
    );
    // Only now are all of them on.
    halts.push({ fromMs: Math.max(...times), toMs: Number.POSITIVE_INFINITY });
    say(`kill switch: SET 1: ${names}`);
  };
  const clear = async () => {
    const times = await Promise.all(
      switches.map(async ({ redis, key }) => timeOf((await redis.multi().time().del(key).exec())?.[0])),
    );
    const halt = halts.at(-1);
    if (halt !== undefined) halt.toMs = Math.min(...times);
    say(`kill switch: DEL: ${names}`);
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

/** With several partitions, each has one, besides the wire's. */
function switchesOf({ partitions, connectTo }: PipelineRedis) {
  const own = partitions.map(({ redis, keys }) => ({ redis, key: keys.killSwitch }));
  const wire = createKeys().killSwitch;
  return own.length === 1 ? own : [{ redis: connectTo(wire), key: wire }, ...own];
}

function timeOf(reply: [Error | null, unknown] | undefined): number {
  const [error, time] = reply ?? [];
  if (error || !Array.isArray(time)) throw new Error("Redis did not return its time", { cause: error });
  return wholeMs(time as [string, string]);
}
