import * as fc from "fast-check";
import { Big } from "big.js";
import { describe, expect, it } from "vitest";
import { evidenceOf, type MutableEvidence, type PlanOutline } from "./flawless-evidence.ts";
import { checkInvariants, type InvariantName } from "./invariants.ts";

const outline: fc.Arbitrary<PlanOutline> = fc.record({
  symbol: fc.constantFrom("BTCUSDT", "ETHUSDT", "SOLUSDT"),
  closePct: fc.constantFrom(25, 50, 75, 100),
  end: fc.constantFrom("EXECUTED", "NOT_PLACED", "BLOCKED", "SKIP", "DRY_RUN"),
  split: fc.boolean(),
});
/** Histories with at least one order, at any position. */
const withOrder = fc
  .tuple(fc.array(outline, { maxLength: 8 }), outline, fc.array(outline, { maxLength: 8 }))
  .map(([before, one, after]) => [...before, { ...one, end: "EXECUTED" as const }, ...after]);

function broken(evidence: MutableEvidence): InvariantName[] {
  const findings = checkInvariants(evidence);
  return (Object.keys(findings) as InvariantName[]).filter((name) => findings[name].violations.length > 0);
}

/** The evidence that a defect leaves, and the invariant that must detect it. Each changes the first order. */
const DEFECTS: readonly [string, InvariantName, (evidence: MutableEvidence) => void][] = [
  [
    "a second order with the same client order id",
    "I1",
    (e) => e.orders.push({ ...order(e), orderId: "again" }),
  ],
  [
    "a second order of another attempt",
    "I1",
    (e) =>
      e.orders.push({
        ...order(e),
        orderId: "again",
        clientOrderId: order(e).clientOrderId.replace(/1$/, "2"),
      }),
  ],
  ["an order that no handover explains", "I2", (e) => remove(e.executes, execute(e))],
  ["an order with a foreign client order id", "I2", (e) => (order(e).clientOrderId = "web_1")],
  ["an order without the governor's permit", "I2", (e) => dropPermit(e, "governor")],
  ["an order without P3.3's permit", "I2", (e) => dropPermit(e, "p33")],
  ["an order although an issuer denied", "I2", (e) => (permit(e, "p33").verdict = "denied")],
  ["a permit granted twice", "I2", (e) => e.permits.push({ ...permit(e, "governor") })],
  ["a permit of another attempt", "I2", (e) => (permit(e, "p33").attempt = "1-1")],
  ["a permit of another plan", "I2", (e) => (permit(e, "p33").planId = "f".repeat(16))],
  ["a permit for another symbol", "I2", (e) => (permit(e, "governor").symbol = "XRPUSDT")],
  ["permits spent twice", "I2", (e) => e.executes.push({ ...execute(e) })],
  ["an order for another symbol", "I2", (e) => (order(e).symbol = "XRPUSDT")],
  ["an order on the wrong side", "I2", (e) => (order(e).side = order(e).side === "BUY" ? "SELL" : "BUY")],
  ["an order for more than is safe", "I2", (e) => (execute(e).safeQty = "0.0001")],
  ["an order for more than the asked share", "I2", (e) => (execute(e).closePct = "1")],
  ["an order for more than another permit's cap", "I2", (e) => (execute(e).maxQty = "0.0001")],
  ["permits handed over twice", "I3", (e) => e.executes.push({ ...execute(e) })],
  ["a handover without a result", "I3", (e) => remove(e.results, result(e))],
  ["a handover with two results", "I3", (e) => e.results.push({ ...result(e) })],
  [
    "a handover that ends BLOCKED",
    "I3",
    (e) => Object.assign(result(e), { outcome: "BLOCKED", executed: false }),
  ],
  ["an executed result without a handover", "I3", (e) => remove(e.executes, execute(e))],
  ["a fill that the result denies", "I3", (e) => (result(e).executed = false)],
  ["a result with another quantity than the fill", "I3", (e) => (result(e).executedQty = "0.0001")],
  ["a result with a rounded order id", "I3", (e) => (result(e).orderId = "o0")],
  ["an executed result without an order", "I3", (e) => remove(e.orders, order(e))],
  ["an order that was declared not placed", "I3", (e) => (result(e).outcome = "NOT_PLACED")],
  ["a correction of a result that said EXECUTED", "I3", (e) => correct(e, result(e))],
  ["a correction of no result", "I3", (e) => Object.assign(correct(e, notPlaced(e)), { corrects: "1-1" })],
  ["a second correction", "I3", (e) => [correct(e, notPlaced(e)), correct(e, notPlaced(e))]],
  ["a correction that says NOT_PLACED", "I3", (e) => (correct(e, notPlaced(e)).outcome = "NOT_PLACED")],
  ["a plan without a result", "I4", (e) => remove(e.results, result(e))],
  ["a plan with two results", "I4", (e) => e.results.push({ ...result(e) })],
  ["a result without a plan", "I4", (e) => remove(e.plans, plan(e))],
  ["a proposal that never became a plan", "I4", (e) => e.proposedPlanIds.add("f".repeat(16))],
  ["an order that is not reduce-only", "I5", (e) => (order(e).reduceOnly = false)],
  ["a fill beyond the safe quantity", "I5", (e) => (execute(e).safeQty = "0.0001")],
  ["a safe quantity beyond the position", "I5", (e) => (execute(e).safeQty = "1000000")],
  ["a fill that flips the position", "I5", (e) => (trade(e).qty = "1000")],
  ["a fill that opens a position", "I5", (e) => (trade(e).side = trade(e).side === "BUY" ? "SELL" : "BUY")],
  [
    "an executed quantity without trades",
    "I5",
    (e) => (e.trades = e.trades.filter((t) => t.orderId !== order(e).orderId)),
  ],
  ["a claim after valid_until", "I6", (e) => (execute(e).validUntilMs = (claim(e).claimedAtMs ?? 0) - 1)],
  [
    "an order sent on a claim that only asks",
    "I6",
    (e) => {
      const asking = claim(e);
      asking.isQuestion = true;
      asking.windowEndMs = 0;
    },
  ],
  ["a claim under the kill switch", "I6", (e) => e.halts.push(around(claim(e).claimedAtMs ?? 0))],
  ["permits spent under the kill switch", "I6", (e) => e.halts.push(around(execute(e).atMs))],
  ["an order without a claim", "I6", (e) => e.claims.delete(execute(e).planId)],
  ["an order with another attempt's claim", "I6", (e) => (claim(e).attempt = "1-1")],
  ["a receive window beyond the claim's", "I6", (e) => (order(e).recvWindowMs = 60_000)],
  ["a send without a receive window", "I6", (e) => delete order(e).recvWindowMs],
  ["a ledger that missed a fill", "I7", (e) => shift(e.ledgers, order(e).symbol)],
  ["a ledger that is not there", "I7", (e) => e.ledgers.delete(order(e).symbol)],
  ["a snapshot of an older position", "I7", (e) => shift(e.snapshots, order(e).symbol)],
  ["a position that no fill explains", "I7", (e) => shift(e.positions, order(e).symbol)],
];

describe("the invariants", () => {
  it("hold for whatever a flawless pipeline leaves behind", () => {
    fc.assert(
      fc.property(fc.array(outline, { maxLength: 20 }), (outlines) => {
        expect(broken(evidenceOf(outlines))).toEqual([]);
      }),
    );
  });

  it("hold where a result that denied an order was corrected", () => {
    fc.assert(
      fc.property(withOrder, (outlines) => {
        const evidence = evidenceOf(outlines);
        correct(evidence, notPlaced(evidence));
        expect(broken(evidence)).toEqual([]);
      }),
    );
  });

  it("tell how much they have looked at", () => {
    const ends = ["EXECUTED", "NOT_PLACED", "BLOCKED", "SKIP", "DRY_RUN"] as const;
    const findings = checkInvariants(
      evidenceOf(ends.map((end) => ({ symbol: "BTCUSDT", closePct: 25, end, split: true }))),
    );
    const checked = Object.entries(findings).map(([name, finding]) => [name, finding.checked]);
    expect(Object.fromEntries(checked)).toEqual({ I1: 1, I2: 1, I3: 2, I4: 5, I5: 1, I6: 2, I7: 1 });
  });

  it.each(DEFECTS)("notice %s: %s", (_, invariant, plant) => {
    fc.assert(
      fc.property(withOrder, (outlines) => {
        const evidence = evidenceOf(outlines);
        plant(evidence);
        expect(broken(evidence)).toContain(invariant);
      }),
    );
  });

  it("take what happens in the very millisecond of the switch for before or after it", () => {
    const evidence = evidenceOf([{ symbol: "BTCUSDT", closePct: 25, end: "EXECUTED", split: false }]);
    evidence.halts.push({ fromMs: claim(evidence).claimedAtMs ?? 0, toMs: Number.POSITIVE_INFINITY });
    expect(broken(evidence)).toEqual([]);
  });

  it("know that order ids repeat between symbols", () => {
    const evidence = evidenceOf(
      ["BTCUSDT", "ETHUSDT"].map((symbol) => ({
        symbol,
        closePct: 100,
        end: "EXECUTED" as const,
        split: false,
      })),
    );
    const [first, second] = evidence.orders.filter(({ origin }) => origin === "api");
    const same = first?.orderId ?? "";
    for (const trade of evidence.trades) if (trade.orderId === second?.orderId) trade.orderId = same;
    for (const result of evidence.results) result.orderId = same;
    if (second !== undefined) second.orderId = same;
    expect(broken(evidence)).toEqual([]);
  });
});

function order(evidence: MutableEvidence) {
  return found(evidence.orders.find(({ origin }) => origin === "api"));
}
function execute(evidence: MutableEvidence) {
  const planId = order(evidence).clientOrderId.slice("qp-".length, -"-1".length);
  return found(evidence.executes.find((execute) => execute.planId === planId));
}
function plan(evidence: MutableEvidence) {
  return found(evidence.plans.find(({ attempt }) => attempt === execute(evidence).attempt));
}
function result(evidence: MutableEvidence) {
  return found(evidence.results.find(({ attempt }) => attempt === execute(evidence).attempt));
}
/** Makes the first order's result deny the order, and moves its content to the correction. */
function notPlaced(evidence: MutableEvidence) {
  const told = result(evidence);
  const denied = { ...told, outcome: "NOT_PLACED" as const, executed: false, orderId: "", executedQty: "" };
  evidence.results[evidence.results.indexOf(told)] = denied;
  return denied;
}
/** Adds a correction that agrees with the exchange. */
function correct(evidence: MutableEvidence, corrected: MutableEvidence["results"][number]) {
  const { orderId, executedQty } = order(evidence);
  const told = { outcome: "EXECUTED" as const, executed: true, orderId, executedQty };
  const correction: MutableEvidence["results"][number] = {
    ...corrected,
    ...told,
    id: "9-9",
    corrects: corrected.id,
  };
  evidence.results.push(correction);
  return correction;
}
function permit(evidence: MutableEvidence, issuer: string) {
  const { attempt } = execute(evidence);
  return found(evidence.permits.find((permit) => permit.attempt === attempt && permit.issuer === issuer));
}
function dropPermit(evidence: MutableEvidence, issuer: string) {
  return remove(evidence.permits, permit(evidence, issuer));
}
function trade(evidence: MutableEvidence) {
  return found(evidence.trades.find(({ orderId }) => orderId === order(evidence).orderId));
}
function claim(evidence: MutableEvidence) {
  return found(evidence.claims.get(execute(evidence).planId));
}
function around(atMs: number) {
  return { fromMs: atMs - 1, toMs: atMs + 1 };
}
function shift(amounts: Map<string, string>, symbol: string) {
  return amounts.set(
    symbol,
    Big(amounts.get(symbol) ?? 0)
      .plus(1)
      .toFixed(),
  );
}
function remove<Item>(items: Item[], item: Item) {
  return items.splice(items.indexOf(item), 1);
}
function found<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the history has an executed plan");
  return value;
}
