/** I1 to I4: a plan has at most one order, all its permits, and one result. */
import { Big } from "big.js";
import type { Evidence, VenueOrder } from "./evidence.ts";
import { type Finding, finding, type PlanOrder } from "./finding.ts";
import type { ExecuteRecord, ResultRecord } from "./history.ts";
import { exitClassOf, exitFlaws, signatureFlaws, signedExitClass } from "./signature-checks.ts";

/** Of attempts whose permits were spent. */
export const ORDER_OUTCOMES: ReadonlySet<string | undefined> = new Set([
  "EXECUTED",
  "REJECTED",
  "NOT_PLACED",
]);

export function oneOrderAPlan(orders: readonly PlanOrder[]): Finding {
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

export function permitsBehindOrders(evidence: Evidence, orders: readonly PlanOrder[]): Finding {
  const { permits, executes, requiredIssuers, cancelled } = evidence;
  const granted = Map.groupBy(
    permits.filter((permit) => permit.verdict === "granted"),
    (permit) => permit.attempt,
  );
  const spent = Map.groupBy(executes, (execute) => execute.attempt);
  const exited = new Set(
    executes
      .filter((execute) => signedExitClass(execute, evidence) === "operator")
      .map(({ symbol }) => symbol),
  );
  return finding(orders.length + cancelled.length, (violate) => {
    for (const { symbol, id } of cancelled)
      if (!exited.has(symbol))
        violate(`order ${id} of ${symbol}: cancelled, and no operator signed an exit of it`);
    for (const { order, execute } of orders) {
      const name = `order ${order.orderId} (${order.clientOrderId})`;
      if (execute === undefined) {
        violate(`${name}: no spent permits for it`);
        continue;
      }
      const times = spent.get(execute.attempt)?.length ?? 0;
      if (times !== 1) violate(`${name}: its permits were spent ${times} times`);
      // An operator's exit needs no permit, only the operator's signature.
      const exitClass = exitClassOf(execute);
      for (const issuer of exitClass === undefined ? requiredIssuers : []) {
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
      const most = exitClass === undefined ? permittedQuantity(execute) : Big(execute.safeQty);
      if (Big(order.origQty).gt(most))
        violate(`${name}: quantity ${order.origQty}, permitted are ${most.toFixed()}`);
      const flawsOf = exitClass === undefined ? signatureFlaws : exitFlaws;
      for (const flaw of flawsOf(order, execute, evidence)) violate(`${name}: ${flaw}`);
    }
  });
}

/** The smallest of the safe quantity, the requested share of the position, and another permit's cap. */
function permittedQuantity({ safeQty, closePct, positionAmt, maxQty }: ExecuteRecord): Big {
  const share = Big(positionAmt).abs().times(closePct).div(100);
  const limits = [Big(safeQty), share, ...(maxQty === undefined ? [] : [Big(maxQty)])];
  return limits.reduce((least, limit) => (limit.lt(least) ? limit : least));
}

export function oneResultForSpentPermits(
  { executes, results }: Evidence,
  orders: readonly PlanOrder[],
): Finding {
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

/** Allows at most one correction, and only of the result that denied the order. */
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

/** EXECUTED if and only if the exchange shows fills, with the same quantity. */
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

export function oneResultAPlan({ plans, results, proposedPlanIds }: Evidence): Finding {
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
