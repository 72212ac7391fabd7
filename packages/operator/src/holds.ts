/** Symbols whose snapshot and ledger do not match, and an operator's statement that the position is right. */
import { HOLD_ACCEPT, ledgerRecord, readableFields, snapshotRecord } from "@quantum/contract";
import type { Access } from "./access.ts";
import { commandAccept, type Mandate } from "./changes.ts";
import { lookFor } from "./look-for.ts";
import { symbolsOfAll } from "./names-under.ts";

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
  const symbols = await symbolsOfAll(access, ({ ledger }) => [ledger("")]);
  const holds = await Promise.all(symbols.map((symbol) => readHold(access, symbol)));
  return holds.filter((hold) => hold !== undefined);
}

export async function readHold({ partitions }: Access, symbol: string): Promise<Hold | undefined> {
  const { redis, keys } = partitions.of(symbol);
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

/** What became of the command to accept a hold. */
export interface Accepted {
  /** Undefined: it was not reset, or nobody knows. */
  ledger: LedgerStart | undefined;
  /** An operator's text. */
  text: string;
}

const VALID_SEC = HOLD_ACCEPT.validMs / 1_000;

/** Has position-brain take the exchange's position as right. Resolves within `HOLD_ACCEPT.validMs`. */
export async function acceptHold(access: Access, hold: Hold, by: Mandate): Promise<Accepted> {
  const { symbol, sinceMs, exchangeAmt, ledgerAmt } = hold;
  const shown = { disagrees_since_ms: sinceMs, exchange_amt: exchangeAmt, ledger_amt: ledgerAmt };
  await commandAccept(access.partitions.of(symbol), symbol, shown, by);
  const sought = await lookFor(() => resetLedger(access, hold), HOLD_ACCEPT.validMs);
  if (sought.kind === "found") {
    const { amount, origin } = sought.found;
    return { ledger: sought.found, text: `${symbol}: the ledger is reset to ${amount} (${origin}).` };
  }
  const text =
    sought.kind === "not there"
      ? `position-brain did not act within ${VALID_SEC} s, and the command has expired. Is position-brain running? Does the exchange answer?`
      : `the command was given, and has expired after ${VALID_SEC} s. Whether position-brain acted on it is not known, because Redis does not answer (${sought.problem.message}): look again`;
  return { ledger: undefined, text };
}

/** Undefined: it is held as before. */
async function resetLedger(access: Access, { symbol, sinceMs }: Hold): Promise<LedgerStart | undefined> {
  if ((await readHold(access, symbol))?.sinceMs === sinceMs) return undefined;
  const { redis, keys } = access.partitions.of(symbol);
  const hash = await redis.hgetall(keys.ledger(symbol));
  const { origin = null, last_known_amt: amount = null } = readableFields(ledgerRecord, hash).fields;
  return { origin, amount };
}
