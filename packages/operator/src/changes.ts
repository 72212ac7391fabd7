/** What an operator changes: on record in the step that changes it (`lua/operator/*`). */
import { dumpPythonJson, HOLD_ACCEPT, type PythonJson } from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import { askRedisTime, bindScript, dispositionOf } from "@quantum/redis";
import { readKillSwitch } from "@quantum/service-kit";
import type { Place } from "./place.ts";

/** For the audit stream. */
export interface Mandate {
  who: string;
  reason: string;
}

const killSwitchScript = bindScript("operator/kill_switch");
const clearDisarmScript = bindScript("operator/clear_disarm");
const resumeExchangeScript = bindScript("operator/resume_exchange");
const forceScript = bindScript("operator/force");
const endDoubtScript = bindScript("operator/end_doubt");
const requeueScript = bindScript("operator/requeue");
const dropScript = bindScript("operator/drop");

/** What the kill switch is set to. */
export const HALT = "1";
/** Action of an audit entry that only says why. */
export const KILL_REASON = "kill.reason";
/** The name under which a requeued entry is pending; the group's consumers take it over within seconds. */
const REQUEUE_CONSUMER = "permitctl";
/** Beyond the idle time after which consumers take entries over (10 s by default). */
const REQUEUE_IDLE_MS = 60_000;

/** @returns false if it was so already */
export async function setKillSwitch({ redis, keys }: Place, on: boolean, by: Mandate): Promise<boolean> {
  const [status] = await killSwitchScript(redis, {
    keys: { kill_switch: keys.killSwitch, audit: keys.streams.operatorAudit },
    args: { value: on ? HALT : "", ...by },
  });
  return status === "CHANGED";
}

export interface Halted {
  /** False if it was on already. */
  changed: boolean;
  /** False if the Redis user may halt and nothing else, so that no audit entry says who did it. */
  recorded: boolean;
}

/**
 * Turns the kill switch on with whatever right the Redis user has. The user `halt` may not run scripts; it appends to
 * the value, which halts whatever the key holds.
 */
export async function halt(access: Place, by: Mandate): Promise<Halted> {
  const { redis, keys } = access;
  try {
    const changed = await setKillSwitch(access, true, by);
    if (!changed && by.reason !== "") await giveKillReason(access, by);
    return { changed, recorded: true };
  } catch (error) {
    const disposition = dispositionOf(error);
    if (disposition.kind !== "refused" || disposition.concerns !== "rights") throw error;
    const { on } = await readKillSwitch(redis, keys);
    if (!on) await redis.append(keys.killSwitch, HALT);
    return { changed: !on, recorded: false };
  }
}

/** Records why the kill switch was turned on, for one who had no time to say so then. */
export async function giveKillReason(access: Place, by: Mandate): Promise<void> {
  await addAudit(access, { action: KILL_REASON, target: "kill_switch", detail: {} }, by);
}

/** @returns false if the disarm is no longer the one that was shown */
export async function clearDisarm(
  { redis, keys }: Place,
  shown: { disarm: string; today: string },
  by: Mandate,
): Promise<boolean> {
  const { disarm, disarm_today } = haltKeys(redis, keys);
  const [status] = await clearDisarmScript(redis, {
    keys: { disarm, disarm_today, audit: keys.streams.operatorAudit },
    args: { shown: shown.disarm, shown_today: shown.today, ...by },
  });
  return status === "CLEARED";
}

/** A service reads the pauses every second; one that hung for longer than this takes an ended pause for a lost one. */
const RESUMED_TOLD_MS = 60_000;

/** @returns false if the exchange had not asked for a pause */
export async function resumeExchange({ redis, keys }: Place, by: Mandate): Promise<boolean> {
  const [status] = await resumeExchangeScript(redis, {
    keys: {
      requests: keys.exchangePause("requests"),
      orders: keys.exchangePause("orders"),
      audit: keys.streams.operatorAudit,
    },
    args: { told_ms: String(RESUMED_TOLD_MS), ...by },
  });
  return status === "RESUMED";
}

export type Forced =
  /** May open again. `state` of the plan's record, or `unknown`. */
  | { kind: "cleared"; state: string }
  /** Left alone. */
  | { kind: "waiting" }
  | { kind: "order" }
  /** Nothing keeps it from opening. */
  | { kind: "free" };

/** Frees a plan whose order was never claimed. Without a mandate it only tells what it would do. */
export async function force(place: Place, planId: string, by?: Mandate): Promise<Forced> {
  const [status, state = ""] = await forceScript(place.redis, planChange(place, planId, by));
  switch (status) {
    case "CLEARED":
      return { kind: "cleared", state };
    case "WAITING":
      return { kind: "waiting" };
    case "ORDER":
      return { kind: "order" };
    case "FREE":
      return { kind: "free" };
    default:
      throw new Error(`operator/force answered ${String(status)}`);
  }
}

/** What `lua/operator/force` and `lua/operator/reset` are called with. Without a mandate they change nothing. */
export function planChange({ keys }: Pick<Place, "keys">, planId: string, by: Mandate | undefined) {
  return {
    keys: {
      plan: keys.plan(planId),
      dedupe: keys.dedupe(planId),
      published: keys.published(planId),
      spent: keys.spent(planId),
      order: keys.order(planId),
      audit: keys.streams.operatorAudit,
    },
    args: {
      plan_id: planId,
      commit: by === undefined ? "0" : "1",
      who: by?.who ?? "",
      reason: by?.reason ?? "",
    },
  };
}

/** What an operator says became of an order. */
export interface Statement {
  outcome: "EXECUTED" | "NOT_PLACED";
  /** Decimal text; "" if it was not placed. */
  quantity: string;
}

export type Stated =
  /** On record; the executor acts on it. */
  { kind: "stated" } | { kind: "not in doubt"; state: string } | { kind: "too much"; ordered: string };

export async function endDoubt(
  { redis, keys }: Place,
  planId: string,
  statement: Statement,
  by: Mandate,
): Promise<Stated> {
  const [status, detail = ""] = await endDoubtScript(redis, {
    keys: { order: keys.order(planId), audit: keys.streams.operatorAudit },
    args: { plan_id: planId, ...statement, ...by },
  });
  if (status === "NOT_IN_DOUBT") return { kind: "not in doubt", state: detail };
  if (status === "TOO_MUCH") return { kind: "too much", ordered: detail };
  return { kind: "stated" };
}

export async function requeue(
  { redis, keys }: Place,
  letter: { id: string; stream: string },
  by: Mandate,
): Promise<"requeued" | "not found" | "trimmed"> {
  const [status] = await requeueScript(redis, {
    keys: { stream: letter.stream, dead: keys.streams.deadLetter, audit: keys.streams.operatorAudit },
    args: { dead_id: letter.id, ...by, consumer: REQUEUE_CONSUMER, idle_ms: String(REQUEUE_IDLE_MS) },
  });
  if (status === "REQUEUED") return "requeued";
  return status === "TRIMMED" ? "trimmed" : "not found";
}

/** @returns false if there is no such dead letter */
export async function drop(
  { redis, keys }: Place,
  letter: { id: string; fields: Record<string, string> },
  by: Mandate,
): Promise<boolean> {
  const [status] = await dropScript(redis, {
    keys: { dead: keys.streams.deadLetter, audit: keys.streams.operatorAudit },
    args: { dead_id: letter.id, ...by, detail: dumpPythonJson(letter.fields) },
  });
  return status === "DROPPED";
}

/** The entry is the command: position-brain reads it. */
export async function commandAccept(
  access: Place,
  symbol: string,
  detail: Readonly<Record<string, PythonJson>>,
  by: Mandate,
): Promise<void> {
  await addAudit(access, { action: HOLD_ACCEPT.action, target: symbol, detail }, by);
}

/** For an entry without a change in Redis. Scripts write those that belong to one (`lua/shared/audit.lua`). */
export async function addAudit(
  { redis, keys }: Place,
  what: { action: string; target: string; detail: Readonly<Record<string, PythonJson>> },
  { who, reason }: Mandate,
): Promise<void> {
  const { action, target, detail } = what;
  const atMs = await askRedisTime(redis);
  const entry = { action, target, who, reason, at_ms: String(atMs), detail: dumpPythonJson(detail) };
  await redis.xadd(keys.streams.operatorAudit, "*", ...Object.entries(entry).flat());
}
