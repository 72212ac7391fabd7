/** The plans that the apply-layer's poll would open: those of the symbols' present proposals. */
import { parseProposal, planId } from "@quantum/contract";
import type { Access } from "./access.ts";
import { symbolsUnder } from "./symbols-under.ts";

export interface PresentPlan {
  symbol: string;
  planId: string;
}

/** Of one symbol, or of all. */
export async function readPresentPlans({ redis, keys }: Access, symbol?: string): Promise<PresentPlan[]> {
  const symbols = symbol === undefined ? await symbolsUnder(redis, keys.proposal("")) : [symbol];
  const found = await Promise.all(
    symbols.map(async (name) => {
      const parsed = parseProposal(name, await redis.hgetall(keys.proposal(name)));
      return parsed.ok ? [{ symbol: name, planId: planId(parsed.proposal) }] : [];
    }),
  );
  return found.flat();
}
