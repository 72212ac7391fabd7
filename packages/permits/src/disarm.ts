/** The governor's disarm, in every partition; the typed wrapper of `lua/permits/disarm.lua`. */
import { setTimeout as delay } from "node:timers/promises";
import { dumpPythonJson, type Keys, type PythonJson, TTL_SEC } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import { haltKeys } from "./keys.ts";

const run = bindScript("permits/disarm");

export interface Disarm {
  reason: string;
  context: Readonly<Record<string, PythonJson>>;
}

/**
 * Disarms one partition until an operator deletes both keys. Issue, consume and claim honour it. Safe to repeat.
 * @returns false if it was already disarmed
 */
export async function disarm(redis: RedisClient, keys: Keys, { reason, context }: Disarm): Promise<boolean> {
  const { disarm, disarm_today } = haltKeys(redis, keys);
  const [status] = await run(redis, {
    keys: { disarm, disarm_today, events: keys.streams.governorEvents },
    args: { reason, context_json: dumpPythonJson(context), today_sec: String(TTL_SEC.disarmOfDay) },
  });
  return status === "DISARMED";
}

export interface DisarmedPlace {
  readonly redis: RedisClient;
  readonly keys: Keys;
}

const REPEAT_MS = 500;

/**
 * Disarms all partitions, each by a step of its own. One that cannot be reached is tried again until it is disarmed, or its
 * connection is closed for good; the next disarm reaches it as well.
 */
export function createDisarm<Place extends DisarmedPlace>(options: {
  places: readonly Place[];
  /** Once for each place and disarm; it is tried again. */
  onFailed: (place: Place, error: Error) => void;
  /** A place of which {@link onFailed} has been told. */
  onReached: (place: Place) => void;
}) {
  const { places, onFailed, onReached } = options;
  /** A disarm that is in force keeps its first reason, and so one that is still to come does. */
  const late = new Set<Place>();

  async function repeat(place: Place, run: () => Promise<void>): Promise<void> {
    late.add(place);
    while (place.redis.status !== "end") {
      await delay(REPEAT_MS, undefined, { ref: false });
      const isDone = await run().then(
        () => true,
        () => false,
      );
      if (!isDone) continue;
      onReached(place);
      break;
    }
    late.delete(place);
  }

  /**
   * Resolves when each partition has been tried once.
   * @param onDisarmed once, unless all were disarmed already
   */
  return async (what: Disarm, onDisarmed: () => void): Promise<void> => {
    let isTold = false;
    const run = async ({ redis, keys }: Place, isRepeated: boolean) => {
      const isNew = await disarm(redis, keys, what);
      // An attempt that failed may have disarmed, unanswered.
      if (isTold || !(isNew || isRepeated)) return;
      isTold = true;
      onDisarmed();
    };
    await Promise.all(
      places.map((place) =>
        run(place, false).catch((error: unknown) => {
          onFailed(place, error as Error);
          if (!late.has(place)) void repeat(place, () => run(place, true));
        }),
      ),
    );
  };
}
