/** The account's orders that wait at the venue: what an exit cancels. */
import {
  type AlgoOrder,
  type Exchange,
  ExchangeError,
  type OpenOrder,
  opens,
  reduces,
  type Rows,
} from "@quantum/exchange";
import type { ExecutorEvents, RestingKind } from "../events.ts";
import type { OrderRef } from "../order.ts";

export interface Resting {
  symbol: string;
  /** The venue's. */
  id: string;
  /** `algo`: conditional, and not triggered yet. */
  kind: RestingKind;
  side: string;
  type: string;
  quantity: string;
  /** May make a position smaller. */
  reduces: boolean;
  /** Could open or enlarge a position. */
  opens: boolean;
}

export interface RestingOrders {
  orders: Resting[];
  /** Orders whose row cannot be read: they may do anything. `symbol` is "" if even that cannot be read. */
  unreadable: { symbol: string; kind: RestingKind }[];
  /** Both lists were answered. */
  isComplete: boolean;
  /** What could not be read: one sentence each. */
  problems: string[];
}

/** Of one symbol, or of all. Does not throw for a failure of the venue. */
export async function readResting(exchange: Exchange, symbol?: string): Promise<RestingOrders> {
  const [orders, algos] = await Promise.all([
    rowsOrProblem("open orders", () => exchange.openOrders(symbol)),
    rowsOrProblem("open algo orders", () => exchange.openAlgoOrders(symbol)),
  ]);
  return {
    orders: [...(orders.rows ?? []).map(fromOrder), ...(algos.rows ?? []).map(fromAlgo)],
    unreadable: [
      ...orders.unreadable.map((symbol) => ({ symbol, kind: "order" as const })),
      ...algos.unreadable.map((symbol) => ({ symbol, kind: "algo" as const })),
    ],
    isComplete: orders.rows !== undefined && algos.rows !== undefined,
    problems: [...orders.problems, ...algos.problems],
  };
}

async function rowsOrProblem<T>(
  what: string,
  read: () => Promise<Rows<T>>,
): Promise<{ rows: readonly T[] | undefined; unreadable: string[]; problems: string[] }> {
  try {
    const { rows, unreadable } = await read();
    const problems = unreadable.map(
      ({ symbol = "some symbol", problem }) => `${what} of ${symbol} cannot be read: ${problem}`,
    );
    return { rows, unreadable: unreadable.map(({ symbol = "" }) => symbol), problems };
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return { rows: undefined, unreadable: [], problems: [`${what} cannot be read: ${error.message}`] };
  }
}

function fromOrder(order: OpenOrder): Resting {
  const { symbol, orderId, side, type, origQty } = order;
  const effect = { reduces: reduces(order), opens: opens(order) };
  return { symbol, id: orderId, kind: "order", side, type, quantity: origQty, ...effect };
}

function fromAlgo(order: AlgoOrder): Resting {
  const { symbol, algoId, side, type, quantity } = order;
  const effect = { reduces: reduces(order), opens: opens(order) };
  return { symbol, id: algoId, kind: "algo", side, type, quantity, ...effect };
}

/** Requests at the same time: an account may have hundreds of orders, and the venue counts each request. */
const CANCELS_AT_ONCE = 10;

export interface Cancelled {
  /** Whether the position may have changed: an order is out of the book, or was filled before. */
  isChanged: boolean;
  /** What may still wait: one sentence each. */
  problems: string[];
}

/** Cancels a symbol's resting orders that `which` picks. A failure does not keep the others, or the exit, from going on. */
export async function cancelResting(
  { exchange, events }: { exchange: Exchange; events: ExecutorEvents },
  { planId, symbol, step }: OrderRef,
  which: (order: Resting) => boolean,
): Promise<Cancelled> {
  const { orders, problems } = await readResting(exchange, symbol);
  for (const problem of problems)
    events.emit("failed", {
      doing: `read what waits at the exchange for ${symbol}`,
      error: new Error(problem),
    });
  // An algo order is cancelled by its id alone, so an answer about other symbols would lead to theirs.
  const chosen = orders.filter((order) => order.symbol === symbol && which(order));
  let isChanged = false;
  const cancel = async ({ kind, id, type }: Resting) => {
    const cancellation =
      kind === "order" ? await exchange.cancelOrder(symbol, id) : await exchange.cancelAlgoOrder(symbol, id);
    const { outcome } = cancellation;
    const why = cancellation.outcome === "failed" ? cancellation.message : "";
    events.emit("cancelled", { planId, symbol, step, kind, id, type, outcome, why });
    if (outcome === "failed") problems.push(`${type} ${kind} ${id} cannot be cancelled: ${why}`);
    else isChanged = true;
  };
  for (let from = 0; from < chosen.length; from += CANCELS_AT_ONCE)
    await Promise.all(chosen.slice(from, from + CANCELS_AT_ONCE).map(cancel));
  return { isChanged, problems };
}
