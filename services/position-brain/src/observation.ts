/**
 * The exchange's positions and open orders at one moment. The exchange lists only positions that are not flat. An
 * unreadable row makes only its own symbol unreadable, which means neither flat nor without orders.
 */
import {
  type Exchange,
  ExchangeError,
  type OrderState,
  type Position,
  positionOf,
  type Rows,
} from "@quantum/exchange";
import { Big } from "big.js";
import { type Ledger, type Pair, snapshotOf } from "./pair.ts";
import type { PairStore } from "./pair-store.ts";
import { isLighterForAll } from "./reading-weights.ts";
import { openReduceQty } from "./reconcile.ts";

export interface Observation {
  position: Position;
  openReduceQty: string;
  /** The symbol's open orders; undefined if they were not read, as of a flat position there is nothing to close. */
  orders: readonly OrderState[] | undefined;
  /** When reading began, by the clock of the symbol's partition. */
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
  /** Symbols with a position whose orders were not read. */
  unread: readonly string[];
}

/** When a reading began, by each of the clocks. */
interface Began {
  tsMsOf: (symbol: string) => number;
  readAtMs: number;
}

export type Observations = ReturnType<typeof observing>;

/** @param audits the same exchange, for reads of all symbols: they give way to those of one symbol */
export function observing(exchange: Exchange, audits: Exchange, moment: PairStore["moment"]) {
  /** Reads open orders first. An order that fills in between is then subtracted twice, never missed. */
  const begin = (): Began => ({ tsMsOf: moment(), readAtMs: performance.now() });
  return {
    /**
     * All positions, and the open orders of the symbols in `closable`, which had a position when last seen. The orders
     * are read in one request or in one for each symbol, whichever weighs less.
     * @param symbols those that are flat unless the exchange lists them
     */
    async all(symbols: readonly string[], closable: ReadonlySet<string>): Promise<Observed> {
      const began = begin();
      const isWhole = isLighterForAll(closable.size);
      const orders = isWhole
        ? await audits.openOrders()
        : joined(await Promise.all([...closable].map((symbol) => ordersOf(audits, symbol))));
      const positions = await audits.positions();
      const observed = observedOf(symbols, positions, orders, began);
      return isWhole ? observed : withoutUnread(observed, closable);
    },

    /** Throws if the exchange's answer about this symbol cannot be read, or if it lists no such symbol. */
    async one(symbol: string): Promise<Observation> {
      const began = begin();
      const orders = await exchange.openOrders(symbol);
      const positions = await exchange.positions(symbol);
      const { observations, unreadable } = observedOf([symbol], positions, orders, began);
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
  { tsMsOf, readAtMs }: Began,
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
    const reduceQty = openReduceQty(position, own);
    observations.set(symbol, {
      position,
      openReduceQty: reduceQty,
      orders: own,
      tsMs: tsMsOf(symbol),
      readAtMs,
    });
  }
  const isUnattributed = rows.some(({ symbol }) => symbol === undefined);
  return { observations, unreadable, isUnattributed, unread: [] };
}

const BAD_REQUEST = 400;

/** What the exchange refuses for one symbol, as for one that it no longer lists, does not keep the others from being read. */
async function ordersOf(exchange: Exchange, symbol: string): Promise<Rows<OrderState>> {
  try {
    return await exchange.openOrders(symbol);
  } catch (error) {
    if (!(error instanceof ExchangeError) || error.httpStatus !== BAD_REQUEST) throw error;
    return { rows: [], unreadable: [{ symbol, problem: error.message }] };
  }
}

function joined(answers: readonly Rows<OrderState>[]): Rows<OrderState> {
  return {
    rows: answers.flatMap(({ rows }) => rows),
    unreadable: answers.flatMap(({ unreadable }) => unreadable),
  };
}

/** A position that has been opened since may have orders. Without them, too much of it would count as free. */
function withoutUnread(observed: Observed, read: ReadonlySet<string>): Observed {
  const unread: string[] = [];
  for (const [symbol, observation] of observed.observations) {
    if (read.has(symbol)) continue;
    if (Big(observation.position.positionAmt).eq(0)) observation.orders = undefined;
    else {
      observed.observations.delete(symbol);
      unread.push(symbol);
    }
  }
  return { ...observed, unread };
}

/**
 * A symbol's bad row affects only that symbol.
 * @throws if none of `symbols` can be read, because P3.3 then makes no progress
 */
export function requireOne(
  symbols: ReadonlySet<string>,
  { observations, unreadable, unread }: Pick<Observed, "observations" | "unreadable" | "unread">,
): void {
  if ([...symbols].some((symbol) => observations.has(symbol) || unread.includes(symbol))) return;
  throw new Error(`no allowed symbol can be read: ${[...unreadable.values()].join(", ")}`);
}
