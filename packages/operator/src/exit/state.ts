/** Whether an operator could close everything now, as the executor keeps it in Redis. */
import { EXIT_KEYS_WANTED } from "@quantum/contract";
import type { Place } from "../place.ts";
import { duration } from "../duration.ts";

export interface ExitState {
  /** Operators' keys that the executor knows. */
  keys: number;
  /** When the executor last said so, by Redis's clock; undefined if it never has. */
  atMs: number | undefined;
  /** When somebody last tried whether it works; undefined if nobody has. */
  drilledAtMs: number | undefined;
  drilledBy: string;
}

/** The executor says it every 30 s. */
const STALE_MS = 90_000;

export async function readExitState({ redis, keys }: Place): Promise<ExitState> {
  const {
    keys: count,
    at_ms: atMs,
    drilled_at_ms: drilledAtMs,
    drilled_by: by,
  } = await redis.hgetall(keys.exit);
  return {
    keys: numberOf(count) ?? 0,
    atMs: numberOf(atMs),
    drilledAtMs: numberOf(drilledAtMs),
    drilledBy: by ?? "",
  };
}

/** Why the exit is not armed; undefined if it is. */
export function whyNotArmed({ keys, atMs }: ExitState, nowMs: number): string | undefined {
  if (atMs === undefined) return "no executor has said how many operators' keys it knows";
  if (nowMs - atMs > STALE_MS) return "no executor is running that knows operators' keys";
  if (keys >= EXIT_KEYS_WANTED) return undefined;
  return `the executor knows ${keys === 0 ? "no operator's key" : "the key of one operator only"} (EXECUTOR_OPERATOR_KEYS_FILE; permitctl keys new --operator)`;
}

/** Whether an operator could exit, and if not, why. */
export function armedText(exit: ExitState, nowMs: number): string {
  const why = whyNotArmed(exit, nowMs);
  const text = exitText(exit, nowMs);
  return why === undefined ? `armed (${text})` : `NOT armed (${text}): ${why}`;
}

/** `2 keys; last drill 9 d ago by alice`. */
export function exitText({ keys, drilledAtMs, drilledBy }: ExitState, nowMs: number): string {
  const count = keys === 1 ? "1 key" : `${keys} keys`;
  if (drilledAtMs === undefined) return `${count}; never drilled`;
  return `${count}; last drill ${duration(Math.max(0, nowMs - drilledAtMs))} ago by ${drilledBy}`;
}

/** Another program may have written anything. */
function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
