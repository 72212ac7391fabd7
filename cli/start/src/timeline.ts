/** The records of plans that did not end, one line each. */
import { planRecord, readableFields } from "@quantum/contract";
import type { Partitions } from "@quantum/service-kit";

/** The others are stuck for the same reason. */
const SHOWN_PLANS = 10;

export async function stuckTimelines(partitions: Partitions, planIds: Iterable<string>): Promise<string[]> {
  const all = [...planIds];
  const lines = await Promise.all(
    all.slice(0, SHOWN_PLANS).map(async (planId) => timeline(planId, await recordOf(partitions, planId))),
  );
  return all.length > lines.length ? [...lines, `  and ${all.length - lines.length} more`] : lines;
}

/** A plan's id does not tell its partition. */
async function recordOf(partitions: Partitions, planId: string): Promise<Record<string, string>> {
  const found = await Promise.all(partitions.map(({ redis, keys }) => redis.hgetall(keys.plan(planId))));
  return Object.assign({}, ...found);
}

/** `opened, +3 ms governor granted, +5 ms verdict`: every `…_at_ms` of the record, relative to the opening. */
export function timeline(planId: string, hash: Readonly<Record<string, string>>): string {
  const { fields: record } = readableFields(planRecord, hash);
  const { state, symbol, opened_at_ms: openedAt } = record;
  if (state === undefined)
    return `  plan ${planId}: no record: it was proposed, and no apply-layer has opened it`;
  const stages = Object.entries(record)
    .filter(([name]) => name.endsWith("_at_ms") && name !== "opened_at_ms")
    .map(([name, at]) => ({ name: name.slice(0, -"_at_ms".length), sinceMs: Number(at) - Number(openedAt) }))
    .toSorted((a, b) => a.sinceMs - b.sinceMs)
    .map(({ name, sinceMs }) => {
      const verdict = record[`${name}_verdict`];
      return `+${sinceMs} ms ${name}${verdict === undefined ? "" : ` ${verdict}`}`;
    });
  return `  plan ${planId} ${symbol}: ${state}; ${["opened", ...stages].join(", ")}`;
}
