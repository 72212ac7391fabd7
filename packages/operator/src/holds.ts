/** Symbols whose snapshot and ledger do not match, and an operator's statement that the position is right. */
import { setTimeout as delay } from "node:timers/promises";
import { HOLD_ACCEPT, ledgerRecord, readableFields, snapshotRecord } from "@quantum/contract";
import type { Access } from "./access.ts";
import { commandAccept, type Mandate } from "./changes.ts";
import { symbolsUnder } from "./symbols-under.ts";

const LOOK_MS = 100;

type Hash = Readonly<Record<string, string>>;

/** Snapshot and ledger do not match. Beyond the tolerance P3.3 denies the symbol. */
export interface Hold {
  symbol: string;
  sinceMs: number;
  exchangeAmt: string;
  ledgerAmt: string;
}

/** Of every symbol that has a ledger. */
export async function readHolds(access: Access): Promise<Hold[]> {
  const symbols = await symbolsUnder(access.redis, access.keys.ledger(""));
  const holds = await Promise.all(symbols.map((symbol) => readHold(access, symbol)));
  return holds.filter((hold) => hold !== undefined);
}

export async function readHold({ redis, keys }: Access, symbol: string): Promise<Hold | undefined> {
  const [ledgerHash, snapshotHash] = await Promise.all([
    redis.hgetall(keys.ledger(symbol)),
    redis.hgetall(keys.snapshot(symbol)),
  ]);
  return holdOf(symbol, ledgerHash, snapshotHash);
}

/** Of the symbol's two hashes, as they stand in Redis; undefined if they match. */
export function holdOf(symbol: string, ledgerHash: Hash, snapshotHash: Hash): Hold | undefined {
  const ledger = readableFields(ledgerRecord, ledgerHash).fields;
  const snapshot = readableFields(snapshotRecord, snapshotHash).fields;
  if (!ledger.disagrees_since_ms) return undefined;
  return {
    symbol,
    sinceMs: Number(ledger.disagrees_since_ms),
    exchangeAmt: snapshot.position_amt ?? "",
    ledgerAmt: ledger.last_known_amt ?? "",
  };
}

/** Where a ledger begins. */
export interface LedgerStart {
  origin: string | null;
  amount: string | null;
}

/**
 * Has position-brain take the exchange's position as right.
 * @returns the ledger once it has been reset; undefined if it has not within `HOLD_ACCEPT.validMs`: the command has expired
 */
export async function acceptHold(access: Access, hold: Hold, by: Mandate): Promise<LedgerStart | undefined> {
  const { symbol, sinceMs, exchangeAmt, ledgerAmt } = hold;
  const shown = { disagrees_since_ms: sinceMs, exchange_amt: exchangeAmt, ledger_amt: ledgerAmt };
  await commandAccept(access, symbol, shown, by);
  const deadline = performance.now() + HOLD_ACCEPT.validMs;
  while ((await readHold(access, symbol))?.sinceMs === sinceMs) {
    if (performance.now() > deadline) return undefined;
    await delay(LOOK_MS);
  }
  const hash = await access.redis.hgetall(access.keys.ledger(symbol));
  const { origin = null, last_known_amt: amount = null } = readableFields(ledgerRecord, hash).fields;
  return { origin, amount };
}
