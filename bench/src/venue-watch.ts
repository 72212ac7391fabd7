/**
 * Watches a run at the exchange's limits from outside: what Redis holds, and what exchange-sim has counted. It asks the
 * exchange itself nothing.
 */
import { createKeys } from "@quantum/contract";
import type { Rig } from "./rig.ts";
import { readUsage, type Trade } from "./venue.ts";

const LEDGERS_EVERY_MS = 50;
const LOOK_EVERY_MS = 250;
const P33_GROUP = "p33";
const keys = createKeys();

/** A ledger as it was stored. */
export interface Store {
  /** By Redis's clock, which is the exchange's here. */
  atMs: number;
  lastTradeId: string;
}

export interface Look {
  atMs: number;
  /** Of the oldest snapshot, in epoch s: all positions are known as of then. */
  knownSec: number;
  /** How long the oldest result has been at P3.3 without an acknowledgement. */
  pendingMs: number;
  /** Of this minute, as a share of the limit. */
  weightShare: number;
  /** User data streams that are connected. */
  sockets: number;
}

export class VenueWatch {
  readonly stores = new Map<string, Store[]>();
  readonly looks: Look[] = [];
  readonly #rig: Rig;
  readonly #venueUrl: string;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(rig: Rig, venueUrl: string, symbols: readonly string[]) {
    this.#rig = rig;
    this.#venueUrl = venueUrl;
    for (const symbol of symbols) this.stores.set(symbol, []);
  }

  start(): void {
    this.#every(LEDGERS_EVERY_MS, () => this.#readLedgers());
    this.#every(LOOK_EVERY_MS, () => this.#look());
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** One at a time. A failure ends the bench. */
  #every(ms: number, task: () => Promise<void>): void {
    let isRunning = false;
    const timer = setInterval(() => {
      if (isRunning) return;
      isRunning = true;
      void task().finally(() => (isRunning = false));
    }, ms);
    this.#timers.push(timer);
  }

  /** The version of a ledger is the time at which it was stored (`lua/ledger/store.lua`), so a late look costs nothing. */
  async #readLedgers(): Promise<void> {
    const { client } = this.#rig;
    await Promise.all(
      [...this.stores].map(async ([symbol, stores]) => {
        const [version, lastTradeId] = await client.hmget(keys.ledger(symbol), "version", "last_trade_id");
        const last = stores.at(-1);
        if (!version || !lastTradeId || last?.lastTradeId === lastTradeId) return;
        stores.push({ atMs: Number(version), lastTradeId });
      }),
    );
  }

  async #look(): Promise<void> {
    const { client } = this.#rig;
    const atMs = Date.now();
    const [pending, snapshots, usage] = await Promise.all([
      client.xpending(keys.streams.result, P33_GROUP),
      Promise.all([...this.stores.keys()].map((symbol) => client.hget(keys.snapshot(symbol), "ts_epoch"))),
      readUsage(this.#venueUrl),
    ]);
    // [count, lowest id, highest id, consumers]; an id begins with the time of its entry.
    const oldest = (pending as [number, string | null])[1];
    this.looks.push({
      atMs,
      knownSec: Math.min(...snapshots.map((sec) => Number(sec ?? 0))),
      pendingMs: oldest === null ? 0 : Math.max(0, atMs - Number(oldest.split("-")[0])),
      weightShare: usage.limits.weightThisMinute / usage.limits.weightPerMinute,
      sockets: usage.streamSockets,
    });
  }
}

/**
 * How long each trade took to be in a ledger. One that is in none yet counts with its wait until `nowMs`.
 * @param stores of each symbol, oldest first
 */
export function bookedDelaysMs(
  trades: readonly Trade[],
  stores: ReadonlyMap<string, readonly Store[]>,
  nowMs: number,
): number[] {
  return trades.map(({ symbol, id, timeMs }) => {
    const store = stores.get(symbol)?.find(({ lastTradeId }) => BigInt(lastTradeId) >= BigInt(id));
    return Math.max(0, (store?.atMs ?? nowMs) - timeMs);
  });
}

/** How long after `fromMs` the last look was behind; 0 if none was. */
export function behindSec(looks: readonly Look[], fromMs: number, isBehind: (look: Look) => boolean): number {
  const last = looks.findLast((look) => look.atMs >= fromMs && isBehind(look));
  return last === undefined ? 0 : (last.atMs - fromMs) / 1000;
}

/** How long after `fromMs` all positions were known as of a later time; Infinity if never. */
export function knownAgainSec(looks: readonly Look[], fromMs: number): number {
  const first = looks.find(({ atMs, knownSec }) => atMs >= fromMs && knownSec * 1000 > fromMs);
  return first === undefined ? Infinity : (first.atMs - fromMs) / 1000;
}
