/** Times an order's stages, each from the end of the one before. */
import type { Stage } from "@quantum/service-kit";
import { addedAtMs } from "@quantum/streams";
import type { ExecutorEvents } from "./events.ts";
import type { ClaimedOrder } from "./order.ts";

/** Call it at the end of each stage. */
export type OrderClock = (stage: Stage, attributes?: Readonly<Record<string, string>>) => void;

/** Begins when the order's permits were spent. `now` is Redis's clock, in ms. */
export function startOrderClock(
  { planId, symbol, attempt, entryId }: Pick<ClaimedOrder, "planId" | "symbol" | "attempt" | "entryId">,
  events: ExecutorEvents,
  now: () => number,
): OrderClock {
  let fromMs = addedAtMs(entryId);
  return (stage, attributes) => {
    const toMs = now();
    events.emit("passed", {
      planId,
      attempt,
      stage,
      fromMs,
      toMs,
      attributes: { "quantum.symbol": symbol, ...attributes },
    });
    fromMs = toMs;
  };
}
