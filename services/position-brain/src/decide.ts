/** P3.3's decision on one plan. Pure. The checks are in the order of docs/wire.md, "Reasons". */
import { CLOCK_BOUND_MS, type P33Reason, PythonFloat, type PythonJson } from "@quantum/contract";
import {
  belowMinimum,
  closeQuantity,
  floorToStep,
  isDust,
  type Pause,
  refusesAll,
  type SymbolRules,
} from "@quantum/exchange";
import { Big } from "big.js";
import type { SymbolState } from "./pair-store.ts";

export interface Limits {
  allowlist: ReadonlySet<string>;
  staleThresholdSec: number;
  cooldownSec: number;
  qtyTolerancePct: number;
}

export interface Facts extends SymbolState {
  symbol: string;
  /** Share of the position to close, in percent. */
  pct: number;
  /** Undefined if the exchange does not list the symbol. */
  rules: SymbolRules | undefined;
  /** In which the exchange accepts no order. */
  pause: Pause | undefined;
  /** The exchange's limits leave room for one more order. */
  hasRoomForOrder: boolean;
}

export interface Allowed {
  verdict: "allow";
  /** Decimal text, a multiple of the symbol's step. */
  safeQty: string;
  exchangeAmt: string;
  ledgerAmt: string;
  /** In 1e-8: what this permit reserves, and the maximum for all reservations together. */
  reservation: { units: bigint; maxUnits: bigint };
}

export interface Denied {
  verdict: "deny";
  reason: P33Reason;
  context: Readonly<Record<string, PythonJson>>;
}

const UNITS_PER_ONE = "1e8";
/** Multiplied, because a division would round. */
const ONE_UNIT = "1e-8";
const MS_PER_SEC = 1000;

export function decide(facts: Facts, limits: Limits): Allowed | Denied {
  const { nowMs, symbol, pct, pair, rules } = facts;
  if (!limits.allowlist.has(symbol)) return deny("not_in_allowlist", {});
  // Without requests the snapshot soon is stale, which would hide why.
  if (facts.pause !== undefined) {
    return deny("exchange_paused", {
      left_sec: facts.pause.leftMs / MS_PER_SEC,
      said: facts.pause.reason,
    });
  }
  if (pair === undefined) return deny("no_exchange_snapshot", {});
  const { snapshot, ledger } = pair;

  // If a snapshot is from the future, a clock is wrong and the snapshot's age is unknown.
  const ageSec = nowMs / MS_PER_SEC - snapshot.tsEpochSec;
  if (ageSec > limits.staleThresholdSec || ageSec < -CLOCK_BOUND_MS / MS_PER_SEC) {
    return deny("stale_exchange_state", { age_sec: ageSec, threshold_sec: limits.staleThresholdSec });
  }

  const exchangeAmt = Big(snapshot.positionAmt);
  const ledgerAmt = Big(ledger.amt);
  const amounts = { exchange_amt: float(exchangeAmt), ledger_amt: float(ledgerAmt) };
  if (exchangeAmt.eq(0)) return deny("no_position", amounts);
  if (exchangeAmt.times(ledgerAmt).lt(0)) return deny("reconcile_required_side_mismatch", amounts);

  const position = exchangeAmt.abs();
  const difference = exchangeAmt.minus(ledgerAmt).abs();
  const share = position.times(limits.qtyTolerancePct).times("0.01");
  const tolerance = rules !== undefined && share.lt(rules.stepSize) ? Big(rules.stepSize) : share;
  if (difference.gt(tolerance)) {
    return deny("reconcile_required_qty_mismatch", {
      ...amounts,
      diff: float(difference),
      tolerance: float(tolerance),
    });
  }

  const execution = ledger.lastExecution;
  const sinceSec = execution === undefined ? Infinity : (nowMs - execution.atMs) / MS_PER_SEC;
  // An execution of this moment may lie in the future by the time that is reckoned here: without a cooldown, none applies.
  if (limits.cooldownSec > 0 && sinceSec < limits.cooldownSec) {
    return deny("cooldown_in_flight", { since_sec: sinceSec, cooldown_sec: limits.cooldownSec });
  }
  if (facts.unknownOrders > 0) return deny("order_unresolved", { orders: facts.unknownOrders });

  if (rules !== undefined && refusesAll(rules)) return deny("symbol_not_trading", { status: rules.status });
  if (rules === undefined)
    return deny("quantity_below_minimum", { rule: "the exchange lists no such symbol" });
  if (isDust(snapshot.positionAmt, rules)) {
    return deny("dust", { exchange_amt: float(exchangeAmt), min_qty: float(Big(rules.minQty)) });
  }
  if (!facts.hasRoomForOrder) return deny("venue_budget", {});
  const { free, maxUnits } = quantities(facts.reservedUnits, position, Big(snapshot.openReduceQty));
  const wanted = pct === 0 ? "0" : closeQuantity(pct, snapshot.positionAmt, rules);
  const safeQty = Big(wanted).lt(free) ? wanted : floorToStep(free.toFixed(), rules.stepSize);
  // Most quantities pass at their price; only for one that does not, it must be known whether it closes all.
  const closesAll = (quantity: string) => Big(quantity).eq(closeQuantity(100, snapshot.positionAmt, rules));
  const below = (quantity: string) => {
    const flaw = belowMinimum(quantity, snapshot.markPrice, rules);
    return flaw === "below_min_notional" && closesAll(quantity) ? undefined : flaw;
  };
  const tooSmall = below(safeQty);
  if (tooSmall !== undefined) {
    const rule = { min_qty: float(Big(rules.minQty)), min_notional: float(Big(rules.minNotional)) };
    // Distinguishes a quantity that is too small from one that other reservations have made too small.
    return below(wanted) === undefined
      ? deny("quantity_promised", { wanted: float(Big(wanted)), free: float(free), ...rule })
      : deny("quantity_below_minimum", { wanted: float(Big(wanted)), rule: tooSmall, ...rule });
  }
  return {
    verdict: "allow",
    safeQty,
    exchangeAmt: snapshot.positionAmt,
    ledgerAmt: ledger.amt,
    reservation: { units: units(Big(safeQty), Big.roundUp), maxUnits },
  };
}

/** The permit's fields, in the wire's order. The protocol adds the symbol, the verdict and the times. */
export function permitOf({ safeQty, exchangeAmt, ledgerAmt }: Allowed): Readonly<Record<string, PythonJson>> {
  const quantity = float(Big(safeQty));
  return {
    safe_close_qty: quantity,
    safe_qty: quantity,
    exchange_position_amt: float(Big(exchangeAmt)),
    ledger_amt: float(Big(ledgerAmt)),
    reason: "sanity_checks_passed",
  };
}

function deny(reason: P33Reason, context: Denied["context"]): Denied {
  return { verdict: "deny", reason, context };
}

/** The maximum of all reservations together, and what is left of it; never below 0. */
function quantities(reservedUnits: bigint, position: Big, openReduce: Big): { free: Big; maxUnits: bigint } {
  const closable = position.gt(openReduce) ? position.minus(openReduce) : Big(0);
  const maxUnits = units(closable, Big.roundDown);
  const free = maxUnits > reservedUnits ? maxUnits - reservedUnits : 0n;
  return { maxUnits, free: Big(free.toString()).times(ONE_UNIT) };
}

function units(quantity: Big, rounding: 0 | 3): bigint {
  return BigInt(quantity.times(UNITS_PER_ONE).round(0, rounding).toFixed());
}

/** Permits store quantities as Python floats. */
function float(value: Big): PythonFloat {
  return new PythonFloat(value.toFixed());
}
