/** If configured: the pipeline is disarmed when the exchange closes a position by itself. */
import { createDisarm } from "@quantum/permits";
import type { Logger, Partitions } from "@quantum/service-kit";
import type { Booker } from "./booker.ts";

const FORCED_CLOSE = "forced_close";

interface Options {
  booker: Booker;
  partitions: Partitions;
  log: Pick<Logger, "error">;
}

export function disarmOnForcedClose({ booker, partitions, log }: Options): void {
  const disarm = createDisarm({
    places: partitions.all,
    onFailed: ({ name: partition }, error) =>
      log.error(
        { partition, err: error },
        "failed to disarm after the exchange has closed a position, trying again",
      ),
    onReached: ({ name: partition }) => log.error({ partition }, "the disarm that had failed has come about"),
  });
  booker.on("foreignFill", ({ origin, event: { symbol, orderId } }) => {
    if (origin !== "liquidation" && origin !== "adl") return;
    const context = { symbol, kind: origin, order_id: orderId };
    void disarm({ reason: FORCED_CLOSE, context }, () =>
      log.error(context, `AUTO_DISARM ${FORCED_CLOSE}: the exchange has closed a position (${origin})`),
    );
  });
}
