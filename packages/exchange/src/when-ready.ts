import { setTimeout as delay } from "node:timers/promises";
import type { Exchange } from "./port.ts";
import type { RuleBook } from "./rule-book.ts";

/** The exchange may start at the same time as we do. If it stays down longer, the supervisor restarts us. */
const ATTEMPTS = 20;
const RETRY_MS = 500;

/**
 * Waits until the exchange has returned its time, its rules and the account's position mode, and starts the rule book.
 * Waits out a pause that the venue asked for, however long.
 *
 * @param onWait called after each failed attempt that will be repeated
 * @throws the last error; at once if the account is in hedge mode
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
      // A pause may be long. An operator can also end it.
      while (exchange.pause("requests") !== undefined) await delay(RETRY_MS);
    }
  }
  throw new Error("the account is in hedge mode, must be in one-way mode (positionSide/dual = false)");
}
