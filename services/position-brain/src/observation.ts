/**
 * The exchange's positions and open orders at one moment. An unreadable row makes only its own symbol unreadable, which
 * means neither flat nor without orders.
 */
import type { Exchange, OrderState, Position, Rows } from "@quantum/exchange";
import { type Ledger, type Pair, snapshotOf } from "./pair.ts";
import { openReduceQty } from "./reconcile.ts";

export interface Observation {
  position: Position;
  openReduceQty: string;
  /** The symbol's open orders. */
  orders: readonly OrderState[];
  /** When reading began, by Redis's clock. */
  tsMs: number;
  /** The same by performance.now(). */
  readAtMs: number;
}

export interface Observed {
  observations: Map<string, Observation>;
  /** Symbols with an unreadable row, and what is wrong with it. */
  unreadable: Map<string, string>;
  /** There is a row whose symbol is unknown. */
  isUnattributed: boolean;
}

export type Observations = ReturnType<typeof observing>;

/** @param audits the same exchange, for reads of all symbols: they give way to those of one symbol */
export function observing(exchange: Exchange, audits: Exchange, now: () => number) {
  /** Reads open orders first. An order that fills in between is then subtracted twice, never missed. */
  const observe = async (through: Exchange, symbol?: string): Promise<Observed> => {
    const began = { tsMs: now(), readAtMs: performance.now() };
    const orders = await through.openOrders(symbol);
    const positions = await through.positions(symbol);
    return observedOf(positions, orders, began);
  };
  return {
    all: () => observe(audits),

    /** Throws if the exchange returns nothing for this symbol. */
    async one(symbol: string): Promise<Observation> {
      const { observations, unreadable } = await observe(exchange, symbol);
      const observation = observations.get(symbol);
      if (observation !== undefined) return observation;
      throw new Error(
        unreadable.get(symbol) ?? `${symbol}: the exchange reports no position, not even a flat one`,
      );
    },
  };
}

export function pairOf({ position, openReduceQty, tsMs }: Observation, ledger: Ledger): Pair {
  return { snapshot: snapshotOf(position, openReduceQty, tsMs), ledger };
}

function observedOf(
  positions: Rows<Position>,
  orders: Rows<OrderState>,
  began: Pick<Observation, "tsMs" | "readAtMs">,
): Observed {
  const rows = [...orders.unreadable, ...positions.unreadable];
  const unreadable = new Map<string, string>();
  for (const { symbol, problem } of rows) {
    if (symbol !== undefined) unreadable.set(symbol, `${symbol}: ${problem}`);
  }
  const observations = new Map<string, Observation>();
  for (const position of positions.rows) {
    if (unreadable.has(position.symbol)) continue;
    const own = orders.rows.filter(({ symbol }) => symbol === position.symbol);
    const observation = { position, openReduceQty: openReduceQty(position, own), orders: own, ...began };
    observations.set(position.symbol, observation);
  }
  return { observations, unreadable, isUnattributed: rows.some(({ symbol }) => symbol === undefined) };
}

/**
 * A symbol's bad row affects only that symbol.
 * @throws if none of `symbols` can be read, because P3.3 then makes no progress
 */
export function requireOne(
  symbols: ReadonlySet<string>,
  { observations, unreadable }: Pick<Observed, "observations" | "unreadable">,
): void {
  if ([...symbols].some((symbol) => observations.has(symbol))) return;
  throw new Error(`no allowed symbol can be read: ${[...unreadable.values()].join(", ")}`);
}
