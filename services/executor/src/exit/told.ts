/** What an exit's record tells its operator (`lua/orders/tell_exit`, typed). */
import { EXIT_STEP, type ExitReport, type Keys } from "@quantum/contract";
import { type Exchange, ExchangeError, positionOf } from "@quantum/exchange";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { ClaimedOrder } from "../order.ts";
import type { Orders } from "../orders.ts";

const tellScript = bindScript("orders/tell_exit");

type Exit = Pick<ClaimedOrder, "planId" | "attempt">;
export type Told = ReturnType<typeof createTold>;

export function createTold({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  async function tell({ planId, attempt }: Exit, field: string, value: string): Promise<void> {
    await tellScript(redis, { keys: { plan: keys.plan(planId) }, args: { attempt, field, value } });
  }

  return {
    report: (exit: Exit, report: ExitReport) => tell(exit, "exit_report", JSON.stringify(report)),
    /** @param left the position, signed, in coins; "" if the venue could not be asked */
    left: (exit: Exit, left: string) => tell(exit, "exit_left", left),
  };
}

/**
 * The same orders, but before an exit's result is written its record says what is left of the position. Whatever settles
 * the order, its operator learns both together.
 */
export function tellingWhatIsLeft(orders: Orders, told: Told, exchange: Exchange): Orders {
  return {
    ...orders,
    settle: async (order, settlement, by) => {
      if (order.step === EXIT_STEP) await told.left(order, await positionLeft(exchange, order.symbol));
      await orders.settle(order, settlement, by);
    },
  };
}

/** "" if it cannot be read. */
export async function positionLeft(exchange: Exchange, symbol: string): Promise<string> {
  try {
    return positionOf(await exchange.positions(symbol), symbol)?.positionAmt ?? "";
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return "";
  }
}
