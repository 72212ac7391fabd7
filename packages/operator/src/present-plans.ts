/** The plans that the apply-layer's poll would open: those of the symbols' present proposals. */
import { parseProposal, planId } from "@quantum/contract";
import type { Access } from "./access.ts";
import { symbolsOfAll } from "./names-under.ts";

export interface PresentPlan {
  symbol: string;
  planId: string;
}

/** Of one symbol, or of all. */
export async function readPresentPlans(access: Access, symbol?: string): Promise<PresentPlan[]> {
  const { keys } = access.intake;
  const symbols = symbol === undefined ? await proposed(access) : [symbol];
  const found = await Promise.all(
    symbols.map(async (name) => {
      const key = keys.proposal(name);
      const parsed = parseProposal(name, await access.redisOf(key).hgetall(key));
      return parsed.ok ? [{ symbol: name, planId: planId(parsed.proposal) }] : [];
    }),
  );
  return found.flat();
}

/** On the servers that have partitions: a publisher's key names none, and lies anywhere. */
function proposed(access: Access): Promise<string[]> {
  return symbolsOfAll(access, ({ proposal }) => [proposal("")]);
}
