/** The hashes whose fields the document tables, and examples of the values that are JSON. */
import {
  exitRecord,
  governorLimitsRecord,
  type HashRecord,
  ledgerRecord,
  orderRecord,
  ownerRecord,
  planRecord,
  snapshotRecord,
} from "@quantum/contract";

/** In the order of a plan's life. */
export const RECORDS: readonly { title: string; about: string; record: HashRecord }[] = [
  {
    title: "The plan's record",
    about:
      "`quantum:apply:plan:{plan_id}` describes the newest attempt; opening an attempt resets it. A field exists once its event has happened.",
    record: planRecord,
  },
  {
    title: "The order's claim",
    about:
      "`quantum:order:{plan_id}` is written before the order is sent. An order that was refused before it was claimed has the first five fields, `reason`, `settled_at_ms` and, of an [exit](#exits), `class`.",
    record: orderRecord,
  },
  {
    title: "Owners",
    about:
      "`quantum:order:owner` names the one executor that claims and sends orders (of a partition, where there are several), `quantum:position:booker` the one position-brain that books the account's events. Another one takes over when the owner was not seen for 6 s (orders) or 3 s (booking), or has given the ownership up. An owner that is back in time, under the same name, keeps `since_ms`.",
    record: ownerRecord,
  },
  {
    title: "The way out",
    about:
      "`quantum:exit` says whether an operator could [exit](#exits) now: fewer than two enrolled keys, or no drill for a long time, means that this has not been shown.",
    record: exitRecord,
  },
  {
    title: "The governor's limits",
    about:
      "`quantum:governor:limits` tells operators what each symbol may use: the governor's variables. Of several governors with different ones the last counts. It is kept once, in partition 0 where there are [several](#partitions).",
    record: governorLimitsRecord,
  },
  {
    title: "P3.3's snapshot",
    about:
      "`quantum:position:snapshot:{SYM}` is the exchange's position. Snapshot and ledger are written together. The Python P3.3 writes the fields that are not *ours*, and leaves the others in place.",
    record: snapshotRecord,
  },
  {
    title: "P3.3's ledger",
    about:
      "`quantum:position:ledger:{SYM}` is our own position, computed from the account's trades. The Python P3.3 writes the fields that are not *ours*.",
    record: ledgerRecord,
  },
];

export const VALUES: readonly { title: string; about: string; example: string }[] = [
  {
    title: "The governor's permit",
    about:
      "Only JSON `true` in `granted` counts as a grant. A positive `computed_qty` caps the order; 0 or absent means no cap. `attempt` is *ours*: a permit without it (Python's) is accepted, one of another attempt counts as missing.",
    example:
      '{"granted": true, "symbol": "BTCUSDT", "decision": "EXECUTE", "computed_qty": 0.0015, "computed_notional": 157.5, "consumed": false, "created_at": 1769301008.977, "attempt": "1769301008975-0"}',
  },
  {
    title: "P3.3's permit",
    about:
      "Only JSON `true` in `allow` counts as a grant. Readers accept `safe_close_qty` or `safe_qty`; the side of the order follows from the sign of `exchange_position_amt`, without which the permit is malformed.",
    example:
      '{"allow": true, "symbol": "BTCUSDT", "safe_close_qty": 0.008, "safe_qty": 0.008, "exchange_position_amt": 0.011, "ledger_amt": 0.011, "reason": "sanity_checks_passed", "created_at": 1769297714.196, "attempt": "1769297714190-0"}',
  },
  {
    title: "P3.3's denial",
    about: "At the same key, because the Python apply-layer reads it there.",
    example:
      '{"allow": false, "symbol": "BTCUSDT", "reason": "reconcile_required_qty_mismatch", "context": {"exchange_amt": 0.062, "ledger_amt": 0.002, "diff": 0.06, "tolerance": 0.001}, "created_at": 1769301008.978, "attempt": "1769301008975-0"}',
  },
  {
    title: "P2.6's permit",
    about:
      "As any further issuer's: the verdict is `allow`, at the same key a denial has the form of P3.3's. `computed_qty` is there only if P2.6 caps the close: `cap_pct` percent of the position, exact; the executor floors it to the symbol's step.",
    example:
      '{"allow": true, "symbol": "BTCUSDT", "reason": "portfolio_cap_cold", "computed_qty": 0.031, "cap_pct": 50, "stress": 0.412, "created_at": 1769301008.978, "attempt": "1769301008975-0"}',
  },
];
