/**
 * The invariants of the pipeline, judged after the fact by what streams, exchange and Redis say. Pure, and independent
 * of the services: nothing here uses their code.
 *
 * I1 and I2 count per plan id, I3 and I4 per attempt (an `apply.plan` entry).
 */
import { Big } from "big.js";
import type { Evidence, VenueOrder } from "./evidence.ts";
import type { ExecuteRecord, ResultRecord } from "./history.ts";

export const INVARIANTS = {
  I1: "at most one order a plan at the exchange",
  I2: "an order only with every permit, spent once, for that plan, symbol and quantity",
  I3: "permits spent: one handover, one result and at most one correction of it, and the last says what the exchange says",
  I4: "every plan ends in exactly one result, and at most one correction of it",
  I5: "executed <= safe <= position, and no order opened or flipped one",
  I6: "nothing claimed too late or under the kill switch",
  I7: "the ledger equals the exchange's fills",
} as const;
export type InvariantName = keyof typeof INVARIANTS;

export interface Finding {
  /** How many things were looked at. */
  checked: number;
  /** One sentence each. */
  violations: readonly string[];
}
export type Findings = Readonly<Record<InvariantName, Finding>>;

/** Nothing was there to check by. */
export const UNCHECKED = Object.fromEntries(
  Object.keys(INVARIANTS).map((name) => [name, { checked: 0, violations: [] }]),
) as unknown as Findings;

export function checkInvariants(evidence: Evidence): Findings {
  const orders = ordersOfPlans(evidence);
  return {
    I1: oneOrderAPlan(orders),
    I2: permitsBehindOrders(evidence, orders),
    I3: oneResultForSpentPermits(evidence, orders),
    I4: oneResultAPlan(evidence),
    I5: quantitiesInBounds(evidence, orders),
    I6: claimsInTime(evidence, orders),
    I7: ledgerEqualsFills(evidence),
  };
}

/** An order that came through the API, and the handover that explains it, if one does. */
interface PlanOrder {
  order: VenueOrder;
  /** From the client order id; undefined: it is not one of ours. */
  planId: string | undefined;
  execute: ExecuteRecord | undefined;
}

const CLIENT_ORDER_ID = /^qp-([0-9a-f]{16})-(\d+)$/;
const ORDER_OUTCOMES: ReadonlySet<string | undefined> = new Set(["EXECUTED", "REJECTED", "NOT_PLACED"]);

function ordersOfPlans({ orders, executes }: Evidence): PlanOrder[] {
  const byAttempt = new Map(executes.map((execute) => [`${execute.planId}-${execute.attemptNo}`, execute]));
  return orders
    .filter((order) => order.origin === "api")
    .map((order) => {
      const [, planId, attemptNo] = CLIENT_ORDER_ID.exec(order.clientOrderId) ?? [];
      return { order, planId, execute: byAttempt.get(`${planId}-${attemptNo}`) };
    });
}

function oneOrderAPlan(orders: readonly PlanOrder[]): Finding {
  const byPlan = Map.groupBy(orders, ({ planId, order }) => planId ?? order.clientOrderId);
  return finding(byPlan.size, (violate) => {
    for (const [planId, ofPlan] of byPlan) {
      if (ofPlan.length > 1) {
        violate(
          `plan ${planId} has ${ofPlan.length} orders: ${ofPlan.map(({ order }) => order.orderId).join(", ")}`,
        );
      }
    }
  });
}

function permitsBehindOrders(
  { permits, executes, requiredIssuers }: Evidence,
  orders: readonly PlanOrder[],
): Finding {
  const granted = Map.groupBy(
    permits.filter((permit) => permit.verdict === "granted"),
    (permit) => permit.attempt,
  );
  const spent = Map.groupBy(executes, (execute) => execute.attempt);
  return finding(orders.length, (violate) => {
    for (const { order, execute } of orders) {
      const name = `order ${order.orderId} (${order.clientOrderId})`;
      if (execute === undefined) {
        violate(`${name}: no spent permits explain it`);
        continue;
      }
      const times = spent.get(execute.attempt)?.length ?? 0;
      if (times !== 1) violate(`${name}: its permits were spent ${times} times`);
      for (const issuer of requiredIssuers) {
        const own = granted.get(execute.attempt)?.filter((permit) => permit.issuer === issuer) ?? [];
        if (own.length !== 1) violate(`${name}: ${own.length} permits of ${issuer}`);
        for (const permit of own) {
          if (permit.planId !== execute.planId || permit.symbol !== order.symbol) {
            violate(`${name}: ${issuer}'s permit is for plan ${permit.planId} and ${permit.symbol}`);
          }
        }
      }
      if (order.symbol !== execute.symbol)
        violate(`${name}: ${order.symbol}, the permits say ${execute.symbol}`);
      const side = Big(execute.positionAmt).gt(0) ? "SELL" : "BUY";
      if (order.side !== side)
        violate(`${name}: ${order.side}, a position of ${execute.positionAmt} needs ${side}`);
      const most = permittedQuantity(execute);
      if (Big(order.origQty).gt(most))
        violate(`${name}: quantity ${order.origQty}, permitted are ${most.toFixed()}`);
    }
  });
}

/** The safe quantity, the asked share of the position, or another permit's cap: the least of them. */
function permittedQuantity({ safeQty, closePct, positionAmt, maxQty }: ExecuteRecord): Big {
  const share = Big(positionAmt).abs().times(closePct).div(100);
  const limits = [Big(safeQty), share, ...(maxQty === undefined ? [] : [Big(maxQty)])];
  return limits.reduce((least, limit) => (limit.lt(least) ? limit : least));
}

function oneResultForSpentPermits({ executes, results }: Evidence, orders: readonly PlanOrder[]): Finding {
  const byAttempt = Map.groupBy(executes, (execute) => execute.attempt);
  const resultsOf = Map.groupBy(results, (result) => result.attempt);
  const ordersOf = Map.groupBy(orders, ({ execute }) => execute?.attempt);
  return finding(byAttempt.size, (violate) => {
    for (const [attempt, handovers] of byAttempt) {
      const name = `plan ${handovers[0]?.planId}, attempt ${attempt}`;
      if (handovers.length !== 1) violate(`${name}: ${handovers.length} handovers`);
      const all = resultsOf.get(attempt) ?? [];
      const own = all.filter(({ corrects }) => corrects === undefined);
      const terminal = own.filter((result) => ORDER_OUTCOMES.has(result.outcome));
      const corrections = all.filter(({ corrects }) => corrects !== undefined);
      violateUnlessCorrected(violate, name, own, corrections);
      if (terminal.length !== 1 || own.length !== 1) {
        violate(
          `${name}: permits spent, ${own.length} results (${own.map(({ outcome }) => outcome).join(", ")})`,
        );
      }
      const order = ordersOf.get(attempt)?.[0]?.order;
      for (const result of corrections.length > 0 ? corrections : terminal)
        violateUnlessAgreed(violate, name, result, order);
    }
    for (const result of results) {
      if (ORDER_OUTCOMES.has(result.outcome) && !byAttempt.has(result.attempt)) {
        violate(`plan ${result.planId}, attempt ${result.attempt}: ${result.outcome} without spent permits`);
      }
    }
  });
}

/** One correction at most, of the one result that denied the order. */
function violateUnlessCorrected(
  violate: (sentence: string) => void,
  name: string,
  own: readonly ResultRecord[],
  corrections: readonly ResultRecord[],
): void {
  if (corrections.length > 1) violate(`${name}: ${corrections.length} corrections`);
  for (const { corrects, outcome } of corrections) {
    const corrected = own.find(({ id }) => id === corrects);
    if (corrected?.outcome !== "NOT_PLACED" || outcome !== "EXECUTED") {
      violate(
        `${name}: ${outcome} corrects ${corrects}, which is ${corrected?.outcome ?? "no result of it"}`,
      );
    }
  }
}

/** EXECUTED exactly when the exchange has filled, by the quantity that it says. */
function violateUnlessAgreed(
  violate: (sentence: string) => void,
  name: string,
  result: ResultRecord,
  order: VenueOrder | undefined,
): void {
  const filled = Big(order?.executedQty ?? 0);
  const told = Big(result.executedQty === "" ? 0 : result.executedQty);
  if (result.executed !== filled.gt(0) || !told.eq(filled)) {
    violate(
      `${name}: the result says ${result.outcome} ${told.toFixed()}, the exchange has filled ${filled.toFixed()}`,
    );
  }
  if (result.executed && result.orderId !== order?.orderId) {
    violate(`${name}: the result names order ${result.orderId}, the exchange ${order?.orderId}`);
  }
  if (result.outcome === "NOT_PLACED" && order !== undefined) {
    violate(`${name}: NOT_PLACED, but the exchange has order ${order.orderId}`);
  }
}

function oneResultAPlan({ plans, results, proposedPlanIds }: Evidence): Finding {
  const resultsOf = Map.groupBy(results, (result) => result.attempt);
  const attempts = new Set(plans.map((plan) => plan.attempt));
  const planIds = new Set(plans.map((plan) => plan.planId));
  return finding(plans.length, (violate) => {
    for (const { planId, attempt } of plans) {
      const count = resultsOf.get(attempt)?.filter(({ corrects }) => corrects === undefined).length ?? 0;
      if (count !== 1) violate(`plan ${planId}, attempt ${attempt}: ${count} results`);
    }
    for (const { planId, attempt } of results) {
      if (!attempts.has(attempt)) violate(`plan ${planId}, attempt ${attempt}: a result without a plan`);
    }
    for (const planId of proposedPlanIds) {
      if (!planIds.has(planId)) violate(`plan ${planId}: proposed and never published`);
    }
  });
}

function quantitiesInBounds({ trades }: Evidence, orders: readonly PlanOrder[]): Finding {
  // Order ids are unique within a symbol only.
  const key = ({ symbol, orderId }: { symbol: string; orderId: string }) => `${symbol} ${orderId}`;
  const ours = new Set(orders.map(({ order }) => key(order)));
  const executed = new Map<string, Big>();
  const positions = new Map<string, Big>();
  return finding(orders.length, (violate) => {
    for (const trade of trades) {
      const before = positions.get(trade.symbol) ?? Big(0);
      const after = before.plus(trade.side === "BUY" ? trade.qty : Big(trade.qty).times(-1));
      positions.set(trade.symbol, after);
      if (!ours.has(key(trade))) continue;
      executed.set(key(trade), (executed.get(key(trade)) ?? Big(0)).plus(trade.qty));
      const flipped = after.times(before).lt(0);
      if (flipped || after.abs().gte(before.abs())) {
        violate(
          `order ${trade.orderId}: trade ${trade.id} took ${trade.symbol} from ${before.toFixed()} to ${after.toFixed()}`,
        );
      }
    }
    for (const { order, execute } of orders) {
      const name = `order ${order.orderId}`;
      if (!order.reduceOnly) violate(`${name}: not reduce-only`);
      const filled = executed.get(key(order)) ?? Big(0);
      if (!filled.eq(order.executedQty))
        violate(`${name}: executed ${order.executedQty}, its trades ${filled.toFixed()}`);
      if (execute === undefined) continue;
      if (filled.gt(execute.safeQty))
        violate(`${name}: executed ${filled.toFixed()}, safe were ${execute.safeQty}`);
      if (Big(execute.safeQty).gt(Big(execute.positionAmt).abs())) {
        violate(`${name}: safe ${execute.safeQty} of a position of ${execute.positionAmt}`);
      }
    }
  });
}

function claimsInTime({ executes, claims, halts }: Evidence, orders: readonly PlanOrder[]): Finding {
  // Two events of one millisecond have no order here, so the edges are not inside.
  const halted = (atMs: number) => halts.some(({ fromMs, toMs }) => atMs > fromMs && atMs < toMs);
  const claimOf = ({ planId, attempt }: ExecuteRecord) => {
    const claim = claims.get(planId);
    return claim?.attempt === attempt ? claim : undefined;
  };
  return finding(executes.length, (violate) => {
    for (const execute of executes) {
      const name = `plan ${execute.planId}`;
      if (halted(execute.atMs)) violate(`${name}: permits spent at ${execute.atMs} under the kill switch`);
      const { claimedAtMs, isQuestion } = claimOf(execute) ?? {};
      if (claimedAtMs === undefined || isQuestion) continue;
      if (claimedAtMs > execute.validUntilMs) {
        violate(`${name}: claimed ${claimedAtMs - execute.validUntilMs} ms after its valid_until_ms`);
      }
      if (halted(claimedAtMs)) violate(`${name}: claimed at ${claimedAtMs} under the kill switch`);
    }
    for (const { order, execute } of orders) {
      if (execute === undefined) continue;
      const claim = claimOf(execute);
      if (claim?.claimedAtMs === undefined || claim.windowEndMs === undefined) {
        violate(`order ${order.orderId}: sent without a claim`);
        continue;
      }
      const windowEndMs = (order.timestampMs ?? Number.NaN) + (order.recvWindowMs ?? Number.NaN);
      if (!(windowEndMs <= claim.windowEndMs)) {
        violate(
          `order ${order.orderId}: its window ends at ${windowEndMs}, claimed until ${claim.windowEndMs}`,
        );
      }
    }
  });
}

function ledgerEqualsFills({ trades, positions, ledgers, snapshots }: Evidence): Finding {
  const filled = new Map<string, Big>();
  for (const { symbol, side, qty } of trades) {
    filled.set(symbol, (filled.get(symbol) ?? Big(0)).plus(side === "BUY" ? qty : Big(qty).times(-1)));
  }
  return finding(positions.size, (violate) => {
    for (const [symbol, position] of positions) {
      const fills = filled.get(symbol) ?? Big(0);
      const ledger = ledgers.get(symbol);
      const snapshot = snapshots.get(symbol);
      const equal = [position, ledger, snapshot].every((amount) => amount !== undefined && fills.eq(amount));
      if (equal) continue;
      violate(
        `${symbol}: fills ${fills.toFixed()}, exchange ${position}, ledger ${ledger ?? "absent"}, snapshot ${snapshot ?? "absent"}`,
      );
    }
  });
}

function finding(checked: number, check: (violate: (sentence: string) => void) => void): Finding {
  const violations: string[] = [];
  check((sentence) => void violations.push(sentence));
  return { checked, violations };
}
