import { dumpPythonJson, P33_REASONS } from "@quantum/contract";
import { closeQuantity, type SymbolRules } from "@quantum/exchange";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Allowed, decide, type Denied, type Facts, type Limits, permitOf } from "./decide.ts";
import type { Pair } from "./pair.ts";

const NOW_MS = 1_769_301_009_000;

const rules: SymbolRules = {
  symbol: "BTCUSDT",
  status: "TRADING",
  stepSize: "0.001",
  minQty: "0.001",
  maxQty: "1000",
  minNotional: "100",
  tickSize: "0.10",
};

const limits: Limits = {
  allowlist: new Set(["BTCUSDT"]),
  staleThresholdSec: 10,
  cooldownSec: 15,
  qtyTolerancePct: 1,
};

interface Case {
  amt?: string;
  ledgerAmt?: string;
  openReduceQty?: string;
  markPrice?: string;
  ageSec?: number;
  executedAgoSec?: number;
}

function pairOf(over: Case = {}): Pair {
  const amt = over.amt ?? "0.062";
  return {
    snapshot: {
      positionAmt: amt,
      entryPrice: "103450.50",
      markPrice: over.markPrice ?? "105000.00",
      unrealizedPnl: "96.07",
      leverage: "10",
      openReduceQty: over.openReduceQty ?? "0",
      updateTimeMs: NOW_MS - 60_000,
      tsEpochSec: NOW_MS / 1000 - (over.ageSec ?? 1),
    },
    ledger: {
      amt: over.ledgerAmt ?? amt,
      lastTradeId: "1",
      origin: "trades",
      lastExecution:
        over.executedAgoSec === undefined
          ? undefined
          : {
              planId: "0123456789abcdef",
              orderId: "1",
              side: "SELL",
              qty: "0.001",
              atMs: NOW_MS - over.executedAgoSec * 1000,
            },
    },
  };
}

function judge(over: Case = {}, facts: Partial<Facts> = {}, ownLimits = limits): Allowed | Denied {
  return decide(
    {
      nowMs: NOW_MS,
      symbol: "BTCUSDT",
      pct: 100,
      pair: pairOf(over),
      unknownOrders: 0,
      reservedUnits: 0n,
      releases: "0",
      rules,
      pause: undefined,
      hasRoomForOrder: true,
      ...facts,
    },
    ownLimits,
  );
}

const reasonOf = (decision: Allowed | Denied) =>
  decision.verdict === "deny" ? decision.reason : `allow ${decision.safeQty}`;

/** How much a decision allows to close; a denial because of quantity allows nothing. */
function allowance(decision: Allowed | Denied): Pick<Allowed, "safeQty" | "reservation"> {
  if (decision.verdict === "allow") return decision;
  if (!decision.reason.startsWith("quantity_") && decision.reason !== "dust")
    throw new Error(decision.reason);
  return { safeQty: "0", reservation: { units: 0n, maxUnits: 0n } };
}

describe("the safe quantity", () => {
  it("is floored to the step, never rounded up", () => {
    expect(reasonOf(judge({ amt: "0.002" }, { pct: 75 }))).toBe("allow 0.001");
    expect(reasonOf(judge({ amt: "0.062" }, { pct: 75 }))).toBe("allow 0.046");
    expect(reasonOf(judge({ amt: "-0.062" }, { pct: 25 }))).toBe("allow 0.015");
    expect(reasonOf(judge({}, { pct: 100 }))).toBe("allow 0.062");
  });

  it("leaves out what open orders and other permits may still close", () => {
    expect(reasonOf(judge({ openReduceQty: "0.012" }))).toBe("allow 0.05");
    expect(reasonOf(judge({ openReduceQty: "0.012" }, { reservedUnits: 2_000_000n }))).toBe("allow 0.03");
    expect(reasonOf(judge({}, { pct: 25, reservedUnits: 2_000_000n }))).toBe("allow 0.015");
    expect(reasonOf(judge({}, { reservedUnits: 6_200_000n }))).toBe("quantity_promised");
    expect(reasonOf(judge({ openReduceQty: "0.1" }))).toBe("quantity_promised");
    // The rest would be too small an order, but only because of the reservation.
    expect(reasonOf(judge({ markPrice: "20000" }, { reservedUnits: 5_900_000n }))).toBe("quantity_promised");
  });

  it("is refused below the exchange's minimum", () => {
    expect(reasonOf(judge({ amt: "0.001" }, { pct: 50 }))).toBe("quantity_below_minimum");
    expect(reasonOf(judge({ amt: "0.004", markPrice: "20000" }, { pct: 75 }))).toBe("quantity_below_minimum");
    expect(reasonOf(judge({}, { pct: 0 }))).toBe("quantity_below_minimum");
    expect(reasonOf(judge({}, { rules: undefined }))).toBe("quantity_below_minimum");
  });

  it("is a whole position's, however little that is worth: the exchange takes a reduce-only order", () => {
    expect(reasonOf(judge({ amt: "-0.004", markPrice: "20000" }))).toBe("allow 0.004");
    // What remains is below a step, and could not be closed with it.
    expect(reasonOf(judge({ amt: "0.0045", markPrice: "20000" }))).toBe("allow 0.004");
    // Another permit has the rest, so this one does not close all.
    expect(reasonOf(judge({ amt: "0.004", markPrice: "20000" }, { reservedUnits: 100_000n }))).toBe(
      "quantity_promised",
    );
  });

  it("is refused as dust, if the whole position is smaller than the smallest order", () => {
    for (const pct of [25, 100]) {
      expect(reasonOf(judge({ amt: "-0.0009" }, { pct }))).toBe("dust");
      expect(reasonOf(judge({ amt: "0.004" }, { pct, rules: { ...rules, minQty: "0.005" } }))).toBe("dust");
    }
  });

  it("is what one order may carry, if the position is larger", () => {
    const narrow = { ...rules, maxQty: "120" };
    expect(reasonOf(judge({ amt: "500" }, { rules: narrow }))).toBe("allow 120");
    // No order could be larger, so the notional minimum would keep the position open for ever.
    expect(reasonOf(judge({ amt: "500", markPrice: "0.5" }, { rules: narrow }))).toBe("allow 120");
  });

  it("never exceeds position less open orders less reservations, nor the plan's share; sums stay exact", () => {
    const steps = fc.integer({ min: 1, max: 2_000_000 });
    fc.assert(
      fc.property(
        steps,
        fc.boolean(),
        fc.nat(2_000_000),
        fc.nat(2_000_000),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (amount, short, open, reserved, pct) => {
          const amt = Big(amount)
            .div(1000)
            .times(short ? -1 : 1)
            .toFixed();
          const openReduceQty = Big(open).div(1000).toFixed();
          const decision = judge({ amt, openReduceQty }, { pct, reservedUnits: BigInt(reserved) * 100_000n });
          const { safeQty, reservation } = allowance(decision);
          const safe = Big(safeQty);
          const others = safe.eq(0) ? 0 : open + reserved;
          expect(safe.plus(Big(others).div(1000)).lte(Big(amt).abs())).toBe(true);
          expect(safe.lte(closeQuantity(pct, amt, rules))).toBe(true);
          expect(safe.mod(rules.stepSize).eq(0)).toBe(true);
          expect(Big(String(reservation.units)).eq(safe.times(1e8))).toBe(true);
          // A denial reserves nothing, and others may have reserved more than is left now.
          const all = reservation.units === 0n ? 0n : reservation.units + BigInt(reserved) * 100_000n;
          expect(all <= reservation.maxUnits).toBe(true);
        },
      ),
    );
  });

  it("has no largest value, and is permitted to the last digit", () => {
    const wide = { ...rules, stepSize: "1", minQty: "1", maxQty: "1000000000000000000000" };
    const decision = judge({ amt: "123456789012345678901", markPrice: "0.00005" }, { rules: wide });
    expect(decision).toMatchObject({
      safeQty: "123456789012345678901",
      reservation: { units: 12345678901234567890100000000n, maxUnits: 12345678901234567890100000000n },
    });
    if (decision.verdict !== "allow") throw new Error(decision.reason);
    expect(dumpPythonJson(permitOf(decision))).toContain('"safe_close_qty": 123456789012345678901.0, ');
  });
});

describe("the order of checks", () => {
  const CHECKS = [
    "not_in_allowlist",
    "exchange_paused",
    "no_exchange_snapshot",
    "stale_exchange_state",
    "no_position",
    "reconcile_required_side_mismatch",
    "reconcile_required_qty_mismatch",
    "cooldown_in_flight",
    "order_unresolved",
    "symbol_not_trading",
    "venue_budget",
    "quantity_promised",
  ] as const;

  it("is the wire's", () => {
    expect(P33_REASONS.filter((reason) => (CHECKS as readonly string[]).includes(reason))).toEqual(CHECKS);
  });

  it("names the first of all that is wrong", () => {
    fc.assert(
      fc.property(fc.subarray([...CHECKS]), (wrong) => {
        const is = (check: (typeof CHECKS)[number]) => wrong.includes(check);
        const amt = is("no_position") ? "0.000" : "0.062";
        const ledgerAmt = is("reconcile_required_side_mismatch")
          ? "-0.062"
          : is("reconcile_required_qty_mismatch")
            ? "0.002"
            : amt;
        const over = {
          amt,
          ledgerAmt,
          ...(is("stale_exchange_state") && { ageSec: 11 }),
          ...(is("cooldown_in_flight") && { executedAgoSec: 14 }),
        };
        const decision = judge(over, {
          ...(is("not_in_allowlist") && { symbol: "DOGEUSDT" }),
          ...(is("exchange_paused") && { pause: { leftMs: 1_500, reason: "banned" } }),
          ...(is("no_exchange_snapshot") && { pair: undefined }),
          ...(is("order_unresolved") && { unknownOrders: 1 }),
          ...(is("symbol_not_trading") && { rules: { ...rules, status: "SETTLING" } }),
          ...(is("venue_budget") && { hasRoomForOrder: false }),
          ...(is("quantity_promised") && { reservedUnits: 6_200_000n }),
        });
        expect(reasonOf(decision)).toBe(wrong[0] ?? "allow 0.062");
      }),
    );
  });

  it("takes a snapshot from the future for a stale one", () => {
    expect(reasonOf(judge({ ageSec: -0.6 }))).toBe("stale_exchange_state");
    // Two replicas' readings of one clock differ slightly.
    expect(reasonOf(judge({ ageSec: -0.4 }))).toBe("allow 0.062");
    expect(reasonOf(judge({ ageSec: 10 }))).toBe("allow 0.062");
  });

  it("lets pass a difference of one step or of the tolerance, whichever is larger", () => {
    expect(reasonOf(judge({ ledgerAmt: "0.061" }))).toBe("allow 0.062");
    expect(reasonOf(judge({ ledgerAmt: "0.0609" }))).toBe("reconcile_required_qty_mismatch");
    expect(reasonOf(judge({ amt: "1.000", ledgerAmt: "0.990" }))).toBe("allow 1");
    expect(reasonOf(judge({ amt: "1.000", ledgerAmt: "0.9899" }))).toBe("reconcile_required_qty_mismatch");
    // A ledger of 0 has no side that could contradict.
    expect(reasonOf(judge({ ledgerAmt: "0" }))).toBe("reconcile_required_qty_mismatch");
  });

  it("counts the cooldown from our own last execution", () => {
    expect(reasonOf(judge({ executedAgoSec: 14.9 }))).toBe("cooldown_in_flight");
    expect(reasonOf(judge({ executedAgoSec: 15 }))).toBe("allow 0.062");
    // The execution's time may be ahead of the one that is reckoned here.
    expect(reasonOf(judge({ executedAgoSec: -0.02 }))).toBe("cooldown_in_flight");
    expect(reasonOf(judge({ executedAgoSec: -0.02 }, {}, { ...limits, cooldownSec: 0 }))).toBe("allow 0.062");
  });
});

describe("what the answer says", () => {
  it("is the wire's permit, in its order, with Python's floats", () => {
    const decision = judge({ amt: "0.011" }, { pct: 75 });
    if (decision.verdict !== "allow") throw new Error(decision.reason);
    expect(dumpPythonJson(permitOf(decision))).toBe(
      '{"safe_close_qty": 0.008, "safe_qty": 0.008, "exchange_position_amt": 0.011, "ledger_amt": 0.011, "reason": "sanity_checks_passed"}',
    );
  });

  it("is the wire's context of a mismatch", () => {
    const decision = judge({ ledgerAmt: "0.002" });
    if (decision.verdict !== "deny") throw new Error("allowed");
    expect(dumpPythonJson(decision.context)).toBe(
      '{"exchange_amt": 0.062, "ledger_amt": 0.002, "diff": 0.06, "tolerance": 0.001}',
    );
  });
});
