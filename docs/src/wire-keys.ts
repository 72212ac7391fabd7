/** What each key holds and who uses it. A key builder that is not explained fails the type check. */
import { createKeys, type Keys, TTL_SEC } from "@quantum/contract";
import { HALT_NOTES } from "./wire-halt-keys.ts";
import type { KeyNote } from "./wire-key-note.ts";
import { type IssuerRow, SERVICES } from "@quantum/topology";

const keys = createKeys();
const PLAN = "{plan_id}";
const SYMBOL = "{SYM}";
const ISSUER = "{issuer}";

const RESERVATIONS = keys.reservations(ISSUER, SYMBOL);
const reservations: Readonly<Record<keyof typeof RESERVATIONS, Omit<KeyNote, "key" | "ttlSec" | "by">>> = {
  open: { type: "HASH", holds: "*ours*: attempt → its reserved amounts, in 1e-8" },
  expiry: { type: "ZSET", holds: "*ours*: attempt → when its reservation expires, ms" },
  totals: {
    type: "HASH",
    holds: "*ours*: sums of the reserved amounts and of the day's charges, in 1e-8, and their seal",
  },
  executions: {
    type: "ZSET",
    holds: "*ours*: executions and open permits of the UTC day and the last hour, ms",
  },
  charges: {
    type: "HASH",
    holds: "*ours*: execution → when (ms) and what was charged for it; the sums are rebuilt from this key",
  },
};

const NOTES: Readonly<
  Record<
    Exclude<keyof Keys, "streams" | "jobs" | "reservations" | "probe" | "all">,
    KeyNote | readonly KeyNote[]
  >
> = {
  proposal: {
    key: keys.proposal(SYMBOL),
    type: "HASH",
    ttlSec: "the publisher's",
    by: "publisher → apply-layer, portfolio-gate",
    holds: "the last proposal, below",
  },
  exchangePause: {
    key: `${keys.exchangePause("requests")}, ${keys.exchangePause("orders")}`,
    type: "STRING JSON",
    ttlSec: "the pause's end",
    by: "executor, position-brain, operators",
    holds:
      "*ours*: `reason`, `since_ms` and `pause_ms` of the pause that the exchange asked for; or `resumed_ms`, ended by an operator",
  },
  exchangeBudget: {
    key: `${keys.exchangeBudget("weight_1m", "{egress}")}, ${keys.exchangeBudget("orders_1m", "{account}")}, ${keys.exchangeBudget("orders_10s", "{account}")}`,
    type: "HASH",
    ttlSec: "two windows",
    by: "executor, position-brain → operators",
    holds:
      "*ours*: the use of one limit of the exchange in the current `window`: `limit`, the count that the exchange `reported`, and for each process what it has `spent:` and holds as a block (`held:`)",
  },
  dedupe: {
    key: keys.dedupe(PLAN),
    type: "STRING",
    ttlSec: "`APPLY_DEDUPE_TTL_SEC`",
    by: "apply-layer",
    holds: "epoch seconds; while it exists, the proposal is a duplicate",
  },
  published: {
    key: keys.published(PLAN),
    type: "STRING",
    ttlSec: TTL_SEC.published,
    by: "apply-layer → operators",
    holds: "`1`",
  },
  plan: {
    key: keys.plan(PLAN),
    type: "HASH",
    ttlSec: TTL_SEC.plan,
    by: "every stage → everyone",
    holds: "*ours*: the plan's record, below",
  },
  waiting: {
    key: keys.waiting(SYMBOL),
    type: "ZSET",
    ttlSec: "none",
    by: "apply-layer",
    holds: "*ours*: plan id → deadline in ms, of the plans that wait",
  },
  waitingSymbols: {
    key: keys.waitingSymbols,
    type: "SET",
    ttlSec: "none",
    by: "apply-layer",
    holds: "*ours*: symbols that ever had a waiting plan; the sweep goes through them",
  },
  permit: SERVICES.flatMap(({ name, issuer }) => (issuer === undefined ? [] : [permitNote(name, issuer)])),
  block: {
    key: keys.block("governor", PLAN),
    type: "STRING JSON",
    ttlSec: TTL_SEC.denial,
    by: "governor → consume, operators",
    holds: "the governor's denial: `reason, timestamp, symbol`, and *ours* `context, created_at, attempt`",
  },
  booked: {
    key: keys.booked(ISSUER, PLAN),
    type: "STRING",
    ttlSec: TTL_SEC.booked,
    orElse: "if it led to an order, else as long as a permit",
    by: "each issuer",
    holds:
      "*ours*: `executed` or `ended`, and the result's time in ms: the issuer denies plans whose order it has booked, and does not answer an attempt that has already ended",
  },
  spent: {
    key: keys.spent(PLAN),
    type: "STRING",
    ttlSec: TTL_SEC.spent,
    orElse: "for an order; 24 h for a dry run, like the record",
    by: "consume, operators' exit → open, issue, claim",
    holds:
      "*ours*: `OK` or `DRY_RUN`, attempt, ms, quantity, and after `OK` the id of the `apply.execute` entry and the symbol: what the permits were spent for; on a second line a copy of the handover; survives the reset",
  },
  order: {
    key: keys.order(PLAN),
    type: "HASH",
    ttlSec: TTL_SEC.order,
    orElse: "once it is settled, none before",
    by: "executor → open",
    holds: "*ours*: the order's claim, below; survives the reset",
  },
  partitions: {
    key: keys.partitions,
    type: "STRING",
    ttlSec: "none",
    by: "the first service with more than one partition → everyone",
    holds:
      "*ours*: how many [partitions](#partitions) there are; absent: one. Only `permitctl partitions migrate` changes it",
  },
  handedOver: {
    key: keys.handedOver,
    type: "HASH",
    ttlSec: "none",
    by: "consume, operators' exit → executor",
    holds:
      "*ours*: plan id → its execute entry as JSON, until its order has an outcome; if entry or claim is lost, the executor ends or queries the order from here",
  },
  unsettled: {
    key: keys.unsettled(SYMBOL),
    type: "ZSET",
    ttlSec: "none",
    by: "executor → issue, position-brain",
    holds: "*ours*: plan id → claim time in ms, of orders not settled",
  },
  unknown: {
    key: keys.unknown(SYMBOL),
    type: "SET",
    ttlSec: "none",
    by: "executor → position-brain",
    holds: "*ours*: plan ids in doubt; while there are any, P3.3 denies the symbol",
  },
  absent: {
    key: keys.absent(SYMBOL),
    type: "ZSET",
    ttlSec: "none",
    by: "executor",
    holds:
      "*ours*: plan id → ms, of orders that ended as absent; they are queried for a day, in case one shows up",
  },
  absentClaims: {
    key: keys.absentClaims,
    type: "HASH",
    ttlSec: "none",
    by: "executor",
    holds: "*ours*: plan id → its claim as JSON, of the same orders; a lost order key is rebuilt from it",
  },
  orderSymbols: {
    key: keys.orderSymbols,
    type: "SET",
    ttlSec: "none",
    by: "executor",
    holds: "*ours*: symbols that ever had an order; recovery goes through them",
  },
  orderEpoch: {
    key: keys.orderEpoch,
    type: "STRING",
    ttlSec: "none",
    by: "executor",
    holds:
      "*ours*: the replication id of Redis, since when (ms) it has lost nothing, and a unique value; if it is missing or of another id, claims may be lost",
  },
  orderOwner: {
    key: keys.orderOwner,
    type: "HASH",
    ttlSec: "none",
    by: "executor",
    holds: "*ours*: the executor that sends orders, below; the others stand by",
  },
  snapshot: {
    key: keys.snapshot(SYMBOL),
    type: "HASH",
    ttlSec: TTL_SEC.snapshot,
    by: "position-brain → governor, portfolio-gate, operators",
    holds: "P3.3's snapshot, below",
  },
  ledger: {
    key: keys.ledger(SYMBOL),
    type: "HASH",
    ttlSec: TTL_SEC.ledger,
    by: "position-brain → operators",
    holds: "P3.3's ledger, below",
  },
  closeWanted: {
    key: keys.closeWanted(SYMBOL),
    type: "STRING",
    ttlSec: TTL_SEC.closeWanted,
    by: "position-brain → operators",
    holds: "*ours*: since when, in ms, a close of the symbol has been proposed and nothing executed",
  },
  refreshTurn: {
    key: keys.refreshTurn,
    type: "HASH",
    ttlSec: "none",
    by: "position-brain",
    holds:
      "`begun_ms` of the last refresh of all positions, `done_ms` of the last successful one; decides which replica refreshes next",
  },
  booker: {
    key: keys.booker,
    type: "HASH",
    ttlSec: "none",
    by: "position-brain",
    holds: "*ours*: the position-brain that books the account's events, below; the others stand by",
  },
  exit: {
    key: keys.exit,
    type: "HASH",
    ttlSec: "none",
    by: "executor → operators",
    holds: "*ours*: whether an operator could [exit](#exits) now, below",
  },
  governorLimits: {
    key: keys.governorLimits,
    type: "HASH",
    ttlSec: TTL_SEC.governorLimits,
    by: "governor → operators",
    holds: "*ours*: the governor's limits of a symbol, below",
  },
  ...HALT_NOTES,
};

export const KEY_NOTES: readonly KeyNote[] = [
  ...Object.values(NOTES).flat(),
  ...Object.entries(reservations).map(([name, note]) => ({
    ...note,
    key: RESERVATIONS[name as keyof typeof RESERVATIONS],
    ttlSec: "none",
    by: "issuing and settling scripts",
  })),
];

function permitNote(service: string, { name, verdictField, required }: IssuerRow): KeyNote {
  const needed = required ? "" : ", where `APPLY_REQUIRED_PERMITS` names it";
  return {
    key: keys.permit(name, PLAN),
    type: "STRING JSON",
    ttlSec: TTL_SEC.permit,
    orElse: "unless a variable says otherwise",
    by: `${service} → consume${needed}`,
    holds:
      verdictField === "granted"
        ? "its permit, below; its denial is never written here"
        : `its permit or denial, below${required ? "" : "; the text `1` of one that `APPLY_BARE_PERMITS` names"}`,
  };
}
