/**
 * A second way to find plans that have not ended: the `apply.plan` entries. Indexes and a plan's record can be lost, so
 * every published attempt is checked until it has ended (`lua/plans/look_after.lua`).
 */
import { type Keys, type PlanEntry, planEntry } from "@quantum/contract";
import { bindScript, type RedisClient, redisNow } from "@quantum/redis";
import { addedAtMs, fieldsOf } from "@quantum/streams";

const lookAfter = bindScript("plans/look_after");

/** How far back a process looks when it starts; longer than it is usually down. */
const BACK_MS = 600_000;
const READ_AT_ONCE = 500;

interface Attempt {
  attempt: string;
  planId: string;
  symbol: string;
}

/** Only our own plans have a record. An operator's plan never waits, and the executor alone ends it. */
function isOurs({ decision, attempt_no: attemptNo, class: exitClass }: PlanEntry): boolean {
  return decision === "EXECUTE" && attemptNo !== undefined && exitClass === "";
}

export interface PlanCareOptions {
  redis: RedisClient;
  keys: Keys;
  /** A waiting plan's record was lost, and the plan has been blocked. */
  onLost: (attempt: Attempt) => void;
}

/** @returns a function that checks every new attempt and every attempt that had not ended; call it every few seconds */
export function createPlanCare({ redis, keys, onLost }: PlanCareOptions): () => Promise<void> {
  let readUpTo: string | undefined;
  const open = new Map<string, Attempt>();
  return async () => {
    const nowMs = redisNow(redis);
    if (readUpTo === undefined || (addedAtMs(readUpTo) > nowMs && (await isRecreated(readUpTo))))
      readUpTo = `${nowMs - BACK_MS}-0`;
    for (;;) {
      const entries: [string, string[]][] = await redis.xrange(
        keys.streams.plan,
        `(${readUpTo}`,
        "+",
        "COUNT",
        READ_AT_ONCE,
      );
      for (const [attempt, flat] of entries) {
        readUpTo = attempt;
        const fields = planEntry.safeParse(fieldsOf(flat));
        if (fields.data === undefined || !isOurs(fields.data)) continue;
        open.set(attempt, { attempt, planId: fields.data.plan_id, symbol: fields.data.symbol });
      }
      await Promise.all(
        [...open.values()].map(async (plan) => {
          const state = await look(plan);
          if (state !== "WAITING" && state !== "HANDED_OVER") open.delete(plan.attempt);
        }),
      );
      if (entries.length < READ_AT_ONCE) return;
    }
  };

  /**
   * The id was written while Redis's clock was ahead. The stream continues with higher ids, unless it was created
   * again.
   */
  async function isRecreated(id: string): Promise<boolean> {
    const [newest] = await redis.xrevrange(keys.streams.plan, "+", "-", "COUNT", 1);
    return newest === undefined || addedAtMs(newest[0]) < addedAtMs(id);
  }

  async function look(attempt: Attempt): Promise<string | undefined> {
    const { planId, symbol } = attempt;
    const [state] = await lookAfter(redis, {
      keys: {
        plan: keys.plan(planId),
        dedupe: keys.dedupe(planId),
        spent: keys.spent(planId),
        order: keys.order(planId),
        waiting: keys.waiting(symbol),
        symbols: keys.waitingSymbols,
        handed_over: keys.handedOver,
        results: keys.streams.result,
      },
      args: { plan_id: planId, symbol, attempt: attempt.attempt },
    });
    if (state === "LOST") onLost(attempt);
    return state;
  }
}
