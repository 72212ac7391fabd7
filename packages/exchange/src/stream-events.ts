/**
 * Reads the messages of the user data stream. An order event or a position that cannot be read is reported with its
 * symbol; it never hides the others, and never passes as if nothing had happened.
 */
import { Big } from "big.js";
import { z } from "zod";
import type {
  AccountEvent,
  Fill,
  OrderEvent,
  OrderOrigin,
  StreamEventType,
  StreamedPosition,
  UnreadableEvent,
} from "./account-stream-port.ts";
import { bool, decimal, id, neededByNobody, price, side, symbol, timeMs } from "./answers.ts";
import { parseLossless } from "./binance-client.ts";
import { isClientOrderId } from "./quantity.ts";

/**
 * The events to subscribe to. The venue sends no others, and says nothing about a name that it does not know. Without a
 * list it does not reliably send all.
 */
export const ORDER_EVENTS = ["ORDER_TRADE_UPDATE", "listenKeyExpired"] as const;
export const ACCOUNT_EVENTS = [...ORDER_EVENTS, "ACCOUNT_UPDATE"] as const;

export type StreamMessage =
  | { readonly kind: "order"; readonly event: OrderEvent }
  | {
      readonly kind: "account";
      readonly event: AccountEvent;
      readonly unreadable: readonly UnreadableEvent[];
    }
  | { readonly kind: "key_expired" }
  /** An event that we do not know. */
  | { readonly kind: "ignored" }
  | { readonly kind: "unreadable"; readonly unreadable: UnreadableEvent };

/** Never throws. */
export function readStreamMessage(text: string): StreamMessage {
  const message = unwrapped(parseLossless(text));
  const type = named.safeParse(message).data?.e;
  if (type === "ORDER_TRADE_UPDATE") return readOrder(message);
  if (type === "ACCOUNT_UPDATE") return readAccount(message);
  if (type === "listenKeyExpired") return { kind: "key_expired" };
  return type === undefined ? unreadable("other", undefined, "not an event") : { kind: "ignored" };
}

const named = z.object({ e: z.string().min(1) });
const envelope = z.object({ stream: z.string(), data: z.unknown() });

/** Combined streams put an event into an envelope. */
function unwrapped(message: unknown): unknown {
  const found = envelope.safeParse(message);
  return found.success ? found.data.data : message;
}

/** The types of execution that fill an order. CALCULATED is a liquidation or an ADL. */
const FILLING: ReadonlySet<string> = new Set(["TRADE", "CALCULATED"]);

const nothing = z.string().catch("");

const orderFields = z.object({
  s: symbol,
  i: id,
  c: nothing,
  S: side,
  // If unreadable, assume true, as for open orders.
  R: bool.catch(true),
  x: z.string().min(1),
  X: z.string().min(1),
  q: neededByNobody,
  z: decimal,
  ap: price,
  // Of this execution: quantity, price and trade id. Events that fill nothing have 0, or lack them.
  l: decimal.optional().catch(undefined),
  L: price,
  t: id.optional().catch(undefined),
});
const orderMessage = z.object({ E: timeMs, T: timeMs, o: orderFields });

function readOrder(message: unknown): StreamMessage {
  const parsed = orderMessage.safeParse(message);
  if (!parsed.success)
    return unreadable("ORDER_TRADE_UPDATE", symbolOfOrder(message), problemOf(parsed.error));
  const { E, T, o } = parsed.data;
  const fill = fillOf(o);
  if (fill === "unreadable") {
    const problem = `${o.x} without a quantity or a trade id`;
    return unreadable("ORDER_TRADE_UPDATE", o.s, problem);
  }
  const event: OrderEvent = {
    symbol: o.s,
    orderId: o.i,
    clientOrderId: o.c,
    side: o.S,
    reduceOnly: o.R,
    executionType: o.x,
    status: o.X,
    origQty: o.q,
    executedQty: o.z,
    avgPrice: o.ap,
    fill,
    eventTimeMs: E,
    timeMs: T,
    origin: originOf(o.c),
  };
  return { kind: "order", event };
}

const NO_TRADE_ID = "0";

/** A fill that cannot be booked by its trade id is unreadable: not booking it would be wrong, too. */
function fillOf({ x, l, L, t }: z.infer<typeof orderFields>): Fill | undefined | "unreadable" {
  const isFilled = l !== undefined && Big(l).gt(0);
  const hasTradeId = t !== undefined && t !== NO_TRADE_ID;
  if (isFilled && hasTradeId) return { tradeId: t, qty: l, price: L };
  if (!FILLING.has(x)) return undefined;
  // The venue announces a liquidation by a CALCULATED that fills nothing.
  return x === "CALCULATED" && l !== undefined && !isFilled ? undefined : "unreadable";
}

/** The client order ids of the orders that the venue itself places. Source: Binance, "Event: Order Update". */
const PLACED_BY_VENUE: readonly (readonly [prefix: string, OrderOrigin])[] = [
  ["autoclose-", "liquidation"],
  ["adl_autoclose", "adl"],
  ["settlement_autoclose-", "settlement"],
  ["delivery_autoclose-", "settlement"],
];

function originOf(clientOrderId: string): OrderOrigin {
  if (isClientOrderId(clientOrderId)) return "ours";
  const found = PLACED_BY_VENUE.find(([prefix]) => clientOrderId.startsWith(prefix));
  return found?.[1] ?? "other";
}

const ONE_WAY = "BOTH";
const positionRow = z.object({
  s: symbol,
  pa: decimal,
  ep: neededByNobody,
  up: neededByNobody,
  ps: z.enum([ONE_WAY, "LONG", "SHORT"]),
});
const accountMessage = z.object({
  E: timeMs,
  T: timeMs,
  // An update of balances alone may lack the positions.
  a: z.object({ m: nothing, P: z.array(z.unknown()).nullish() }),
});

function readAccount(message: unknown): StreamMessage {
  const parsed = accountMessage.safeParse(message);
  if (!parsed.success) return unreadable("ACCOUNT_UPDATE", undefined, problemOf(parsed.error));
  const { E, T, a } = parsed.data;
  const positions: StreamedPosition[] = [];
  const problems: UnreadableEvent[] = [];
  for (const item of a.P ?? []) {
    const row = readPosition(item);
    if (row === undefined) continue;
    if ("problem" in row) problems.push(row);
    else positions.push(row);
  }
  const event = { reason: a.m, eventTimeMs: E, timeMs: T, positions };
  return { kind: "account", event, unreadable: problems };
}

/** Undefined for an empty side of a hedge, which is no part of a one-way position. */
function readPosition(item: unknown): StreamedPosition | UnreadableEvent | undefined {
  const parsed = positionRow.safeParse(item);
  const bad = (problem: string): UnreadableEvent => ({
    type: "ACCOUNT_UPDATE",
    symbol: symbolOf(item),
    problem,
  });
  if (!parsed.success) return bad(problemOf(parsed.error));
  const { s, pa, ep, up, ps } = parsed.data;
  if (ps === ONE_WAY) return { symbol: s, positionAmt: pa, entryPrice: ep, unrealizedProfit: up };
  // Taken for the whole position, one side of a hedge would close the wrong amount.
  return Big(pa).eq(0) ? undefined : bad(`a position of side ${ps}`);
}

function unreadable(type: StreamEventType, of: string | undefined, problem: string): StreamMessage {
  return { kind: "unreadable", unreadable: { type, symbol: of, problem } };
}

const withSymbol = z.object({ s: symbol });

function symbolOf(row: unknown): string | undefined {
  return withSymbol.safeParse(row).data?.s;
}

function symbolOfOrder(message: unknown): string | undefined {
  return z.object({ o: withSymbol }).safeParse(message).data?.o.s;
}

function problemOf(error: z.ZodError): string {
  const issue = error.issues[0];
  return `unreadable at "${issue?.path.join(".") ?? ""}": ${issue?.message ?? ""}`;
}
