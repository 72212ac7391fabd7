/** What stops everything: the kill switch and the disarm, as the scripts read them (`lua/shared/halted.lua`). */
import type { Keys } from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import type { RedisClient } from "@quantum/redis";
import { z } from "zod";

const RUNNING = new Set(["0", "false", "off", "no"]);

export interface Halts {
  killSwitch: { on: boolean; value: string | null };
  /** `reason` and `atMs` as far as the keys tell. */
  disarm: { reason: string; atMs: number | null } | null;
  /** The keys' text, to be compared when they are cleared; "" where there is none. */
  shown: { disarm: string; today: string };
}

export async function readHalts(redis: RedisClient, keys: Keys): Promise<Halts> {
  const { kill_switch, disarm, disarm_today } = haltKeys(keys);
  const [value, undated, today] = await Promise.all([
    // A key that cannot be read halts.
    redis.get(kill_switch).catch(() => "(not text)"),
    redis.get(disarm),
    redis.get(disarm_today),
  ]);
  const text = undated ?? today;
  return {
    killSwitch: { on: value !== null && !RUNNING.has(value.trim().toLowerCase()), value },
    disarm: text === null ? null : describe(text),
    shown: { disarm: undated ?? "", today: today ?? "" },
  };
}

const disarmBody = z.object({ reason: z.string(), timestamp: z.number() });

function describe(text: string): Halts["disarm"] {
  try {
    const { reason, timestamp } = disarmBody.parse(JSON.parse(text));
    return { reason, atMs: timestamp * 1_000 };
  } catch {
    return { reason: text, atMs: null };
  }
}
