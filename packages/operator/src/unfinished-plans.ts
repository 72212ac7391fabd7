/** Plans without an end: those that wait, and those whose permits are spent and whose order has no outcome. From indexes. */
import { outcomeOfOrder } from "@quantum/contract";
import { fieldsOf } from "@quantum/streams";
import type { Place } from "./place.ts";
import { type PlanRow, rowOfVerdict } from "./plan-rows.ts";

export const UNFINISHED = ["WAITING", "PERMITTED", "SENT", "UNKNOWN"] as const;

export interface PlacedRow {
  /** The stream entry that brought the plan into this state. */
  id: string;
  /** Id of its `apply.plan` entry; "" if it is not known. */
  attempt: string;
  row: PlanRow;
}

export async function readUnfinished(place: Place): Promise<PlacedRow[]> {
  const [waiting, handedOver] = await Promise.all([readWaitingRows(place), readHandedOver(place)]);
  return [...waiting, ...handedOver];
}

async function readWaitingRows({ redis, keys }: Place): Promise<PlacedRow[]> {
  const symbols = await redis.smembers(keys.waitingSymbols);
  const planIds = await Promise.all(symbols.map((symbol) => redis.zrange(keys.waiting(symbol), 0, -1)));
  const rows = await Promise.all(
    planIds.flat().map(async (planId) => {
      const [state, attempt, symbol = ""] = await redis.hmget(
        keys.plan(planId),
        "state",
        "attempt",
        "symbol",
      );
      if (state !== "WAITING" || !attempt) return [];
      const entry = { id: attempt, fields: { plan_id: planId, symbol: symbol ?? "" } };
      return [{ id: attempt, attempt, row: { ...rowOfVerdict(entry), outcome: "WAITING" } }];
    }),
  );
  return rows.flat();
}

async function readHandedOver({ redis, keys }: Place): Promise<PlacedRow[]> {
  const copies = await redis.hgetall(keys.handedOver);
  const rows = await Promise.all(
    Object.entries(copies).map(async ([planId, copy]) => {
      const fields = { ...fieldsOf(flatOf(copy)), plan_id: planId };
      const { entry_id: id = "0-0", attempt = "" } = fields as Record<string, string>;
      const [state, ordered, why] = await redis.hmget(keys.order(planId), "state", "attempt", "why");
      const row = rowOfVerdict({ id, fields });
      if (!state || ordered !== attempt) return [{ id, attempt, row }];
      const outcome = outcomeOfOrder(state);
      // It has ended between the two readings: its result tells.
      if (outcome !== "SENT" && outcome !== "UNKNOWN") return [];
      return [{ id, attempt, row: { ...row, outcome, reason: outcome === "UNKNOWN" ? (why ?? "") : "" } }];
    }),
  );
  return rows.flat();
}

/** Names and values in turn. Empty for what is no such list: the plan is told with its id alone. */
function flatOf(copy: string): string[] {
  try {
    const flat: unknown = JSON.parse(copy);
    return Array.isArray(flat) ? flat.map(String) : [];
  } catch {
    return [];
  }
}
