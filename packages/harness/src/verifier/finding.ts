/** The input and result of an invariant's check. */
import type { Evidence, VenueOrder } from "./evidence.ts";
import type { ExecuteRecord } from "./history.ts";

export interface Finding {
  /** How many items were checked. */
  checked: number;
  /** One sentence each. */
  violations: readonly string[];
}

export function finding(checked: number, check: (violate: (sentence: string) => void) => void): Finding {
  const violations: string[] = [];
  check((sentence) => void violations.push(sentence));
  return { checked, violations };
}

/** An order from the API, and the handover that explains it, if any. */
export interface PlanOrder {
  order: VenueOrder;
  /** From the client order id; undefined if it is not one of ours. */
  planId: string | undefined;
  execute: ExecuteRecord | undefined;
}

const CLIENT_ORDER_ID = /^qp-([0-9a-f]{16})-(\d+)$/;

export function ordersOfPlans({ orders, executes }: Evidence): PlanOrder[] {
  const byAttempt = new Map(executes.map((execute) => [`${execute.planId}-${execute.attemptNo}`, execute]));
  return orders
    .filter((order) => order.origin === "api")
    .map((order) => {
      const [, planId, attemptNo] = CLIENT_ORDER_ID.exec(order.clientOrderId) ?? [];
      return { order, planId, execute: byAttempt.get(`${planId}-${attemptNo}`) };
    });
}
