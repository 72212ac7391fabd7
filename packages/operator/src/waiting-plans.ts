/** The plans that wait for permits, as the index has them. */
import { ISSUERS, planRecord, readableFields } from "@quantum/contract";
import type { Access } from "./access.ts";
import type { PlanTexts } from "./plan-history.ts";

export interface WaitingPlan {
  planId: string;
  symbol: string;
  openedAtMs: number;
  deadlineMs: number;
  /** Issuers that have not answered. */
  lacks: readonly string[];
}

/** More would fill no screen. */
const SHOWN = 50;

/** Those whose time ends first. `more` wait than are told. */
export async function readWaiting(
  { partitions }: Pick<Access, "partitions">,
  symbols: readonly string[],
): Promise<{ plans: WaitingPlan[]; more: number }> {
  const found = await Promise.all(
    symbols.map(async (symbol) => {
      const { redis, keys } = partitions.of(symbol);
      const [total, flat] = await Promise.all([
        redis.zcard(keys.waiting(symbol)),
        redis.zrange(keys.waiting(symbol), 0, SHOWN - 1, "WITHSCORES"),
      ]);
      const plans = flat.flatMap((planId, at) =>
        at % 2 === 0 ? [{ planId, symbol, deadlineMs: Number(flat[at + 1]) }] : [],
      );
      return { total, plans };
    }),
  );
  const total = found.reduce((sum, symbol) => sum + symbol.total, 0);
  const first = found
    .flatMap(({ plans }) => plans)
    .toSorted((a, b) => a.deadlineMs - b.deadlineMs)
    .slice(0, SHOWN);
  const plans = await Promise.all(
    first.map(async (plan) => {
      const { redis, keys } = partitions.of(plan.symbol);
      const record = readableFields(planRecord, await redis.hgetall(keys.plan(plan.planId))).fields;
      return {
        ...plan,
        openedAtMs: Number(record.opened_at_ms ?? plan.deadlineMs),
        lacks: lackingOf(record),
      };
    }),
  );
  return { plans, more: total - plans.length };
}

/** Of the issuers that a plan needs by default: which ones it needs otherwise, the apply-layer's variables say. */
export function lackingOf(record: PlanTexts): string[] {
  return ISSUERS.filter((issuer) => record[`${issuer}_verdict`] === undefined);
}
