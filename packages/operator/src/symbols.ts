/** What is known of each symbol: plans that wait, orders in doubt, holds, limits used. */
import type { Access } from "./access.ts";
import { type Doubt, readDoubts } from "./doubts.ts";
import { type Hold, holdOf } from "./holds.ts";
import type { Known } from "./known-symbols.ts";
import { type Caps, type Limits, readLimits } from "./limits.ts";
import type { PlanRow } from "./plan-rows.ts";
import { endText, type Unfulfilled, unfulfilledOf } from "./unfulfilled.ts";

export interface SymbolState {
  symbol: string;
  /** Plans that wait for permits. */
  waiting: number;
  /** Orders claimed and not settled, and those of them that are in doubt. */
  unsettled: number;
  inDoubt: Doubt[];
  hold: Hold | null;
  unfulfilled: Unfulfilled | null;
  limits: Limits;
  caps: Caps;
}

export interface SymbolOptions {
  nowMs: number;
  caps: Caps;
  /** A symbol's newest result. */
  lastResultOf: (symbol: string) => Promise<PlanRow | undefined>;
}

/** Those whose closes are not fulfilled come first. */
export async function readSymbols(
  access: Pick<Access, "partitions">,
  known: readonly Known[],
  options: SymbolOptions,
): Promise<SymbolState[]> {
  const states = await Promise.all(
    known.map(async ({ symbol, isKept }) => {
      const state = await readSymbol(access, symbol, options);
      return isKept || state.waiting > 0 ? [state] : [];
    }),
  );
  const rank = ({ unfulfilled }: SymbolState) => (unfulfilled === null ? 1 : 0);
  return states.flat().toSorted((a, b) => rank(a) - rank(b));
}

export async function readSymbol(
  access: Pick<Access, "partitions">,
  symbol: string,
  { nowMs, caps, lastResultOf }: SymbolOptions,
): Promise<SymbolState> {
  const place = access.partitions.of(symbol);
  const { redis, keys } = place;
  const [waiting, unsettled, inDoubt, ledger, snapshot, wanted, limits] = await Promise.all([
    redis.zcard(keys.waiting(symbol)),
    redis.zcard(keys.unsettled(symbol)),
    readDoubts(place, symbol),
    redis.hgetall(keys.ledger(symbol)),
    redis.hgetall(keys.snapshot(symbol)),
    // A key of the wrong type says nothing; the next note replaces it.
    redis.get(keys.closeWanted(symbol)).catch(() => null),
    readLimits(place, symbol, nowMs),
  ]);
  const unfulfilled = unfulfilledOf(symbol, wanted, ledger, snapshot);
  return {
    symbol,
    waiting,
    unsettled,
    inDoubt,
    hold: holdOf(symbol, ledger, snapshot) ?? null,
    unfulfilled: unfulfilled ? { ...unfulfilled, last: endText(await lastResultOf(symbol)) } : null,
    limits,
    caps,
  };
}
