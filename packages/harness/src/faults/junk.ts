/** What a careless or malicious writer leaves in Redis, in keys of the right type. */
import { createKeys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

const keys = createKeys();

export const JUNK: readonly string[] = [
  ...["", "-1", "0x10", "1e999", "NaN", "１２", "8640000000000001", "9".repeat(400), "x".repeat(10_000)],
  ...["\u202e\u0000\u001b[2J\r\n", "null", '{"reason":"\\ud800"}', '["\\ud800"]', "[".repeat(5_000)],
  '{"__proto__":{"a":1}}',
];

/** Each is asked for by readers of the symbol or the plan. */
export interface Known {
  symbol: string;
  planId: string;
  /** Id of an entry in every stream. */
  entryId: string;
}

const ENTRY_FIELDS = [
  ...["outcome", "reason", "detail", "wait_ms", "deadline_ms", "corrects", "executed_qty", "fields"],
  ...["action", "who", "at_ms", "stream", "group", "entry_id", "decision", "kill_score"],
];
const RECORD_FIELDS = [
  ...["opened_at_ms", "deadline_ms", "hand_over", "governor_verdict", "governor_at_ms", "state", "day"],
  ...["keys", "drilled_at_ms", "executions_hour", "notional_day", "unknown_at_ms", "instance", "since_ms"],
  ...["charged:qty", "reserved:qty", "reserved:notional", "last_known_amt"],
];

/** Makes the symbol and the plan known, so that every reader comes that far. */
export async function makeKnown(redis: RedisClient, { symbol, planId }: Known): Promise<void> {
  await redis.sadd(keys.waitingSymbols, symbol);
  await redis.sadd(keys.orderSymbols, symbol);
  await redis.zadd(keys.waiting(symbol), 1, planId);
  await redis.sadd(keys.unknown(symbol), planId);
}

/** Writes one text wherever somebody reads. */
export async function fillWithJunk(redis: RedisClient, known: Known, junk: string): Promise<void> {
  const { symbol, planId, entryId } = known;
  await makeKnown(redis, known);
  const of = (names: readonly string[]) => names.flatMap((name) => [name, junk]);
  const fields = [
    "plan_id",
    planId,
    "symbol",
    symbol,
    "attempt",
    entryId,
    ...of(ENTRY_FIELDS),
    "__proto__",
    junk,
  ];
  for (const stream of Object.values(keys.streams)) await redis.xadd(stream, entryId, ...fields);
  const { totals, open } = keys.reservations("governor", symbol);
  for (const key of [
    ...[keys.plan(planId), keys.order(planId), keys.snapshot(symbol), keys.ledger(symbol), totals, open],
    ...[keys.exit, keys.governorLimits, keys.orderOwner, keys.booker, keys.handedOver, keys.absentClaims],
    keys.proposal(symbol),
  ])
    await redis.hset(key, ...fields, ...of(RECORD_FIELDS), planId, junk);
  await redis.hset(keys.ledger(symbol), "disagrees_since_ms", "1");
  for (const key of [
    ...[keys.killSwitch, keys.disarm, keys.orderEpoch],
    ...[keys.closeWanted(symbol), keys.exchangePause("requests")],
  ])
    await redis.set(key, junk);
}
