/** What the answer to a placement, or its failure, means for the order. */
import type { z } from "zod";
import type { placementAnswer } from "./answers.ts";
import { classifyError } from "./error-classes.ts";
import { PausedError } from "./not-asked.ts";
import { type ExchangeError, isClosed, type OrderRequest, type Placement } from "./port.ts";
import { RATE_LIMIT_WINDOW_MS } from "./requests.ts";

export function placementOf(failure: ExchangeError): Placement {
  const { code, message } = failure;
  const outcome = failure instanceof PausedError ? "retry_after" : classifyError(failure);
  if (outcome === "already_placed") return { outcome };
  if (outcome === "rejected") return { outcome, code, message };
  if (outcome === "expired" || outcome === "unavailable") return { outcome, message };
  if (outcome === "retry_after") {
    return { outcome, retryAfterMs: failure.retryAfterMs ?? RATE_LIMIT_WINDOW_MS, message };
  }
  return { outcome, reason: message };
}

/** An answer that does not name the order belongs to it all the same: it answers its request. */
export function acceptanceOf(
  { order, orderId, status, ...named }: z.output<typeof placementAnswer>,
  { symbol, clientOrderId }: OrderRequest,
): Placement {
  const isOther = (said: string, sent: string) => said !== "" && said !== sent;
  if (isOther(named.symbol, symbol) || isOther(named.clientOrderId, clientOrderId))
    return { outcome: "ambiguous", reason: "the answer speaks of another order" };
  if (order === undefined || !isClosed(order)) return { outcome: "acknowledged", orderId, status };
  return { outcome: "answered", order };
}
