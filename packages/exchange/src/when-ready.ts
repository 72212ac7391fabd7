import { setTimeout as delay } from "node:timers/promises";
import type { Exchange } from "./port.ts";
import type { RuleBook } from "./rule-book.ts";

/** The exchange may start beside us; one that is gone for longer is the supervisor's business. */
const ATTEMPTS = 20;
const RETRY_MS = 500;

/**
 * Waits until the exchange tells its clock, its rules and the account's position mode, and starts the rule book.
 *
 * @param onWait told of each attempt that failed and is repeated
 * A pause that the venue asked for is waited for as long as it lasts.
 *
 * @throws what the exchange said last; or at once, if the account is in hedge mode
 */
export async function whenReady(
  exchange: Exchange,
  rules: RuleBook,
  onWait: (error: Error) => void,
): Promise<void> {
  const ask = async () => {
    const isHedged = await exchange.hedgeMode();
    await rules.start();
    return isHedged;
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (!(await ask())) return;
      break;
    } catch (error) {
      if (attempt >= ATTEMPTS && exchange.pause("requests") === undefined) throw error;
      onWait(error as Error);
      await delay(RETRY_MS);
      // However long it is; it may also be ended by an operator.
      while (exchange.pause("requests") !== undefined) await delay(RETRY_MS);
    }
  }
  throw new Error("the account is in hedge mode, must be in one-way mode (positionSide/dual = false)");
}
