/** How the partitions fared that a failover did not touch, while it went on. */
import type { ThrownFault } from "./campaign.ts";
import { countBy } from "./count-by.ts";
import type { Proposed } from "./proposer.ts";

export interface Spared {
  plans: number;
  executed: number;
  /** How the others ended, with how many. */
  others: Record<string, number>;
}

/**
 * Counts the plans that were proposed while a master failed over, in partitions that it does not have. Failovers of a
 * master with the wire's keys are left out: all partitions wait for those.
 * @returns undefined if there are none
 */
export function sparedOf(
  plans: Iterable<Proposed>,
  faults: readonly ThrownFault[],
  partitionOf: (symbol: string) => number,
): Spared | undefined {
  const failovers = faults.flatMap(({ failedOver, fromMs, toMs }) =>
    failedOver === undefined ? [] : [{ failedOver, fromMs, toMs }],
  );
  const spared = [...plans].filter(
    ({ symbol, atMs, burst }) =>
      !burst &&
      failovers.some(
        ({ failedOver, fromMs, toMs }) =>
          fromMs <= atMs && atMs <= toMs && !failedOver.has(partitionOf(symbol)),
      ),
  );
  if (spared.length === 0) return undefined;
  const others = spared.filter(({ outcome }) => outcome !== "EXECUTED");
  return {
    plans: spared.length,
    executed: spared.length - others.length,
    others: countBy(others.map(({ outcome = "open", reason = "" }) => `${outcome} ${reason}`.trim())),
  };
}
