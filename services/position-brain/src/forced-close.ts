/** If configured: the pipeline is disarmed when the exchange closes a position by itself. */
import type { Keys } from "@quantum/contract";
import { disarm } from "@quantum/permits";
import type { RedisClient } from "@quantum/redis";
import type { Logger } from "@quantum/service-kit";
import type { Booker } from "./booker.ts";

export const FORCED_CLOSE = "forced_close";

interface Options {
  booker: Booker;
  redis: RedisClient;
  keys: Keys;
  log: Pick<Logger, "error">;
}

export function disarmOnForcedClose({ booker, redis, keys, log }: Options): void {
  booker.on("foreignFill", ({ origin, event: { symbol, orderId } }) => {
    if (origin !== "liquidation" && origin !== "adl") return;
    const context = { symbol, kind: origin, order_id: orderId };
    disarm(redis, keys, { reason: FORCED_CLOSE, context }).then(
      (isNew) =>
        isNew &&
        log.error(context, `AUTO_DISARM ${FORCED_CLOSE}: the exchange has closed a position (${origin})`),
      (error: unknown) =>
        log.error({ ...context, err: error }, "failed to disarm after the exchange has closed a position"),
    );
  });
}
