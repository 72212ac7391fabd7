import { setTimeout as delay } from "node:timers/promises";
import { type Exchange, ExchangeError } from "./port.ts";
import type { RuleBook } from "./rule-book.ts";

/** The exchange may start beside us; one that is gone for longer is the supervisor's business. */
const ATTEMPTS = 20;
const RETRY_MS = 500;

/**
 * Waits until the exchange tells its clock, its rules and the account's position mode, and starts the rule book.
 *
 * @param onWait told of each attempt that failed and is repeated
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
      if (attempt === ATTEMPTS) throw error;
      onWait(error as Error);
      const pauseMs = error instanceof ExchangeError ? (error.retryAfterMs ?? 0) : 0;
      await delay(Math.max(RETRY_MS, pauseMs));
    }
  }
  throw new Error(
    "the account is in hedge mode: one position a symbol is needed (positionSide/dual = false)",
  );
}
