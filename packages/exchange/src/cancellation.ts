/** What the answer to a cancellation, or its failure, means for the order. */
import type { z } from "zod";
import type { cancelledAlgoAnswer, cancelledOrderAnswer } from "./answers.ts";
import { CANCEL_REJECTED, NO_SUCH_ORDER } from "./error-codes.ts";
import { type ExchangeError, isClosed } from "./port.ts";
import type { Cancellation } from "./resting-orders.ts";

/**
 * The venue's words for an order that is not open. Spot documents other refusals under the same code ("Order was not canceled
 * due to cancel restrictions."), after which the order still waits.
 */
const UNKNOWN_ORDER = /unknown order/i;
const CANCELLED = "CANCELED";
const SUCCESS = "200";

export function cancelledOrder(
  asked: string,
  { orderId, ...order }: z.output<typeof cancelledOrderAnswer>,
): Cancellation {
  if (orderId !== asked) return failed("the answer speaks of another order");
  if (order.status === CANCELLED) return { outcome: "cancelled" };
  return isClosed(order)
    ? { outcome: "gone" }
    : failed(`the venue answers that the order is ${order.status}`);
}

export function cancelledAlgoOrder(
  asked: string,
  { algoId, code, msg }: z.output<typeof cancelledAlgoAnswer>,
): Cancellation {
  if (algoId !== asked) return failed("the answer speaks of another order");
  return code === SUCCESS ? { outcome: "cancelled" } : failed(`the venue answers ${code}: ${msg}`);
}

/** By default it may still wait. */
export function uncancelled({ code, message, said }: ExchangeError): Cancellation {
  const isUnknown = code === CANCEL_REJECTED && UNKNOWN_ORDER.test(said);
  return isUnknown || NO_SUCH_ORDER.has(code) ? { outcome: "gone" } : failed(message, code);
}

function failed(message: string, code?: number): Cancellation {
  return { outcome: "failed", message, code };
}
