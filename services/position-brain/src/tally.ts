/**
 * What the fills and positions of one symbol add up to. Pure.
 *
 * A position of the engine's time T includes the fills up to T and no others. So ledger and position agree only if the
 * ledger that REST has counted, with every fill since up to T, is the position, and no later fill is known. Each fill counts
 * once, by its trade id. The sum is the same in any order of arrival.
 */
import type { OrderEvent, StreamedPosition } from "@quantum/exchange";
import { Big } from "big.js";
import type { Pair } from "./pair.ts";

/** Trade ids are remembered for repetitions, also those that REST has counted. */
const SEEN_MAX = 4_096;

interface Fill {
  readonly id: bigint;
  readonly signedQty: Big;
  readonly timeMs: number;
}

type Amounts = Omit<StreamedPosition, "symbol"> & { readonly arrivedAtMs: number };

/** Ledger and position, which agree. */
export interface Sum {
  amt: Big;
  position: Amounts;
  /** The position's time. */
  timeMs: number;
  /** The newest trade that was added to what REST has counted; undefined: none. */
  lastTradeId: string | undefined;
}

export class Tally {
  readonly #seen = new Set<string>();
  /** By trade id, since the base. */
  readonly #fills = new Map<string, Fill>();
  /** The ledger that REST has counted. */
  #base = { amt: Big(0), tradeId: 0n };
  /** The newest position; several, in the order of arrival, if executions share its time. The last includes all fills. */
  #position: { timeMs: number; amounts: Amounts[] } = { timeMs: Number.NEGATIVE_INFINITY, amounts: [] };
  /** The fills that the position includes, and the newest of their ids. */
  #counted = { sum: Big(0), newestId: 0n };
  /** Fills that are newer than the position. */
  #ahead: Fill[] = [];

  get base(): { amt: string; tradeId: string } {
    return { amt: this.#base.amt.toFixed(), tradeId: this.#base.tradeId.toString() };
  }

  /** @returns whether the event has a fill that is new here, counted by REST or not */
  fill({ fill, side, timeMs }: OrderEvent): boolean {
    if (fill === undefined || this.#seen.has(fill.tradeId)) return false;
    this.#remember(fill.tradeId);
    const id = BigInt(fill.tradeId);
    if (id <= this.#base.tradeId || this.#fills.has(fill.tradeId)) return true;
    const added = { id, signedQty: side === "BUY" ? Big(fill.qty) : Big(fill.qty).times(-1), timeMs };
    this.#fills.set(fill.tradeId, added);
    this.#place(added);
    return true;
  }

  position(told: StreamedPosition, timeMs: number, arrivedAtMs: number): void {
    const newest = this.#position;
    const amounts = { ...told, arrivedAtMs };
    if (timeMs < newest.timeMs) return;
    if (timeMs === newest.timeMs) {
      if (!newest.amounts.some((known) => isEqual(known, amounts))) newest.amounts.push(amounts);
      return;
    }
    this.#position = { timeMs, amounts: [amounts] };
    const ahead = this.#ahead;
    this.#ahead = [];
    for (const fill of ahead) this.#place(fill);
  }

  /** Counts from what was read by REST, from `readAtMs` on. Fills and positions that are newer than it stay. */
  begin({ ledger, snapshot }: Pair, readAtMs: number): void {
    this.#base = { amt: Big(ledger.amt), tradeId: BigInt(ledger.lastTradeId) };
    const read: Amounts = {
      positionAmt: snapshot.positionAmt,
      entryPrice: snapshot.entryPrice,
      unrealizedProfit: snapshot.unrealizedPnl,
      arrivedAtMs: readAtMs,
    };
    const { timeMs, amounts } = this.#position;
    const readMs = snapshot.updateTimeMs;
    const later = amounts.filter(({ arrivedAtMs }) => arrivedAtMs >= readAtMs);
    // Without a time, as of a flat position, it replaces everything that had arrived before it was read.
    const isNewer = readMs > timeMs || (readMs === 0 && later.length === 0);
    if (isNewer) this.#position = { timeMs: readMs, amounts: [read] };
    else if (readMs === timeMs)
      this.#position = { timeMs, amounts: [read, ...later.filter((other) => !isEqual(read, other))] };

    this.#counted = { sum: Big(0), newestId: 0n };
    this.#ahead = [];
    for (const [tradeId, fill] of this.#fills) {
      if (fill.id <= this.#base.tradeId) this.#fills.delete(tradeId);
      else this.#place(fill);
    }
  }

  /** Undefined if they do not agree. */
  sum(): Sum | undefined {
    if (this.#ahead.length > 0) return undefined;
    const { sum, newestId } = this.#counted;
    const amt = this.#base.amt.plus(sum);
    const position = this.#position.amounts.at(-1);
    if (position === undefined || !amt.eq(position.positionAmt) || !this.#explainsAll(amt)) return undefined;
    const lastTradeId = newestId > 0n ? newestId.toString() : undefined;
    return { amt, position, timeMs: this.#position.timeMs, lastTradeId };
  }

  /** Executions of one millisecond: each position that was told is the one after some of the fills. */
  #explainsAll(amt: Big): boolean {
    const { timeMs, amounts } = this.#position;
    if (amounts.length === 1) return true;
    const fills = [...this.#fills.values()].filter((fill) => fill.timeMs === timeMs);
    let after = amt;
    const passed = [amt];
    for (const { signedQty } of fills.toSorted((a, b) => (a.id > b.id ? -1 : 1))) {
      after = after.minus(signedQty);
      passed.push(after);
    }
    return amounts.every(({ positionAmt }) => passed.some((amount) => amount.eq(positionAmt)));
  }

  #remember(tradeId: string): void {
    this.#seen.add(tradeId);
    const [oldest] = this.#seen;
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
  }

  #place(fill: Fill): void {
    if (fill.timeMs > this.#position.timeMs) {
      this.#ahead.push(fill);
      return;
    }
    const { sum, newestId } = this.#counted;
    this.#counted = { sum: sum.plus(fill.signedQty), newestId: fill.id > newestId ? fill.id : newestId };
  }
}

function isEqual(one: Amounts, other: Amounts): boolean {
  return Big(one.positionAmt).eq(other.positionAmt);
}
