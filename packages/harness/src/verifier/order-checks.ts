/** I5 to I7: orders stay within their quantities and times, and the ledger matches their fills. */
import { Big } from "big.js";
import type { Evidence } from "./evidence.ts";
import { type Finding, finding, type PlanOrder } from "./finding.ts";
import type { ExecuteRecord } from "./history.ts";
import { signedExitClass } from "./signature-checks.ts";

export function quantitiesInBounds({ trades }: Evidence, orders: readonly PlanOrder[]): Finding {
  // Order ids are only unique within a symbol.
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

export function claimsInTime(
  { executes, claims, halts, operatorKeys }: Evidence,
  orders: readonly PlanOrder[],
): Finding {
  // Two events in the same millisecond have no known order, so the interval excludes its ends.
  const halted = (atMs: number) => halts.some(({ fromMs, toMs }) => atMs > fromMs && atMs < toMs);
  const claimOf = ({ planId, attempt }: ExecuteRecord) => {
    const claim = claims.get(planId);
    return claim?.attempt === attempt ? claim : undefined;
  };
  return finding(executes.length, (violate) => {
    for (const execute of executes) {
      const name = `plan ${execute.planId}`;
      const isStopped = (atMs: number) =>
        halted(atMs) && signedExitClass(execute, { operatorKeys }) === undefined;
      if (isStopped(execute.atMs)) violate(`${name}: permits spent at ${execute.atMs} under the kill switch`);
      const { claimedAtMs, isQuestion } = claimOf(execute) ?? {};
      if (claimedAtMs === undefined || isQuestion) continue;
      if (claimedAtMs > execute.validUntilMs) {
        violate(`${name}: claimed ${claimedAtMs - execute.validUntilMs} ms after its valid_until_ms`);
      }
      if (isStopped(claimedAtMs)) violate(`${name}: claimed at ${claimedAtMs} under the kill switch`);
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

export function ledgerEqualsFills({ trades, positions, ledgers, snapshots }: Evidence): Finding {
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
