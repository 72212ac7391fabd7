/** What stops everything: the kill switch and the disarm, as the scripts read them (`lua/shared/halted.lua`). */
import { haltKeys } from "@quantum/permits";
import { type KillSwitch, readKillSwitch } from "@quantum/service-kit";
import { z } from "zod";
import type { Place } from "./place.ts";
import { KILL_REASON } from "./changes.ts";
import { newestFirst } from "./entries.ts";

export interface Halts {
  killSwitch: KillSwitch;
  disarm: Disarm | null;
  /** The keys' text, to be compared when they are cleared; "" where there is none. */
  shown: { disarm: string; today: string };
}

/** As far as the key tells; `reason` is its whole text if that is no disarm of ours or the Python governor's. */
export interface Disarm {
  reason: string;
  context: Readonly<Record<string, unknown>>;
  atMs: number | null;
}

export async function readHalts({ redis, keys }: Place): Promise<Halts> {
  const { disarm, disarm_today } = haltKeys(redis, keys);
  const [killSwitch, undated, today] = await Promise.all([
    readKillSwitch(redis, keys),
    redis.get(disarm),
    redis.get(disarm_today),
  ]);
  const text = undated ?? today;
  return {
    killSwitch,
    disarm: text === null ? null : describe(text),
    shown: { disarm: undated ?? "", today: today ?? "" },
  };
}

/** Who turned the kill switch on, when and why, as far as the audit stream tells. */
export interface KillRecord {
  /** `user@host`; undefined if nobody is on record: the Redis user `halt` and redis-cli leave no entry. */
  who: string | undefined;
  /** By Redis's clock; undefined like `who`. */
  atMs: number | undefined;
  /** "" if nobody has given one yet. */
  reason: string;
}

/** Of a kill switch that is on. */
export async function readKillRecord({ redis, keys }: Place): Promise<KillRecord> {
  let reason = "";
  for await (const { fields } of newestFirst(redis, keys.streams.operatorAudit)) {
    const { action, who, at_ms: atMs } = fields;
    // Whoever turned it on after this left no entry.
    if (action === "kill.off") break;
    if (action === KILL_REASON || action === "kill.on") reason ||= fields["reason"] ?? "";
    if (action === "kill.on") return { who, atMs: Number(atMs), reason };
  }
  return { who: undefined, atMs: undefined, reason };
}

const disarmBody = z.object({
  reason: z.string(),
  context: z.record(z.string(), z.unknown()).default({}),
  timestamp: z.number(),
});

function describe(text: string): Disarm {
  try {
    const { reason, context, timestamp } = disarmBody.parse(JSON.parse(text));
    return { reason, context, atMs: timestamp * 1_000 };
  } catch {
    return { reason: text, context: {}, atMs: null };
  }
}
