/**
 * The exchange's positions and open orders at one moment. The exchange lists only positions that are not flat. An
 * unreadable row makes only its own symbol unreadable, which means neither flat nor without orders.
 */
import { type Exchange, type OrderState, type Position, positionOf, type Rows } from "@quantum/exchange";
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
  const observe = async (
    through: Exchange,
    symbols: readonly string[],
    asked?: string,
  ): Promise<Observed> => {
    const began = { tsMs: now(), readAtMs: performance.now() };
    const orders = await through.openOrders(asked);
    const positions = await through.positions(asked);
    return observedOf(symbols, positions, orders, began);
  };
  return {
    /** @param symbols those that are flat unless the exchange lists them */
    all: (symbols: readonly string[]) => observe(audits, symbols),

    /** Throws if the exchange's answer about this symbol cannot be read, or if it lists no such symbol. */
    async one(symbol: string): Promise<Observation> {
      const { observations, unreadable } = await observe(exchange, [symbol], symbol);
      const observation = observations.get(symbol);
      if (observation !== undefined) return observation;
      throw new Error(unreadable.get(symbol) ?? `${symbol}: the exchange's answer cannot be read`);
    },
  };
}

export function pairOf({ position, openReduceQty, tsMs }: Observation, ledger: Ledger): Pair {
  return { snapshot: snapshotOf(position, openReduceQty, tsMs), ledger };
}

function observedOf(
  symbols: readonly string[],
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
  for (const symbol of new Set([...symbols, ...positions.rows.map((row) => row.symbol)])) {
    const position = positionOf(positions, symbol);
    if (position === undefined || unreadable.has(symbol)) continue;
    const own = orders.rows.filter((order) => order.symbol === symbol);
    const observation = { position, openReduceQty: openReduceQty(position, own), orders: own, ...began };
    observations.set(symbol, observation);
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
