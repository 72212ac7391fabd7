/**
 * An exit of one symbol becomes at most one order (I1), in this order of I/O. No halt, hold, limit or status of the symbol
 * stops it: only its signature, what may have been sent before, the journal, and the venue.
 *
 * 1. Its signature is verified, and its symbol is announced (exits.ts).
 * 2. What may have been sent already is held and queried, as of any plan (exits.ts; handler.ts, step 3).
 * 3. The position is read from the venue. If it is flat, all resting orders of the symbol are cancelled; else those that
 *    could open or enlarge it, and then it is read again, because what was cancelled may have been filled before.
 * 4. The claim is made, past halts, for the smallest of what was signed, what the position is and what the venue takes. A
 *    refusal ends the plan here; its record says what is left of the position.
 * 5. The journal, the send and the settlement are those of any order (steps.ts).
 * 6. If the venue says that other orders reduce the position already, those are cancelled: the next plan passes.
 */
import type { OrderReason } from "@quantum/contract";
import { ExchangeError, NOTHING_TO_REDUCE, type Pause, positionOf } from "@quantum/exchange";
import type { Disposition } from "@quantum/streams";
import { NO_SUCH_SYMBOL } from "../evidence.ts";
import { orderOf, type OrderRef, refOf } from "../order.ts";
import { startOrderClock } from "../order-clock.ts";
import { type ExitIntent, exitIntent } from "./exit-order.ts";
import type { ExitEntry, ExitOptions } from "./exit-options.ts";
import { untilText } from "./pause-text.ts";
import { cancelResting, type Resting } from "./resting.ts";
import type { VerifiedExit } from "./verify-exit.ts";

type SignedExit = VerifiedExit & { kind: "operator" };

/** Orders may be placed while others are cancelled. What is left then is the next plan's. */
const READINGS_MAX = 3;

/** What an exit found, and what it is to send. */
interface Finding {
  intent: ExitIntent;
  /** In coins, signed; "" if it could not be read. */
  position: string;
}

/** @param options `exchange` makes requests of class `exit` */
export function createClose(options: ExitOptions) {
  const { orders, exchange, rules, memory, journal, events, steps, told, recvWindowMs, now } = options;

  return async ({ entryId, entry }: ExitEntry, signed: SignedExit): Promise<Disposition> => {
    const { intent, position } = await look(signed, refOf(entry));
    const order = orderOf(entryId, entry, intent);
    const hindrance = intent.refusal === undefined ? hindranceNow() : undefined;
    const refusal = intent.refusal ?? hindrance?.refusal ?? "";
    const { operator } = signed;
    if (refusal === "")
      events.emit("exiting", {
        ...refOf(entry),
        operator,
        side: order.side,
        quantity: order.quantity,
        position,
      });
    else await told.left(order, position);
    // Seconds may have passed: the claim must go to the Redis whose memory is judged.
    await memory.announce(entry.symbol);
    const venueMs = exchange.now();
    const claimed = await orders.claim({
      entryId,
      // Whoever wrote the entry may shorten what the operator signed, and not lengthen it.
      entry: {
        ...entry,
        position_amt: position,
        valid_until_ms: Math.min(entry.valid_until_ms, signed.untilMs),
      },
      intent,
      clientOrderId: order.clientOrderId,
      venueMs,
      windowMs: recvWindowMs,
      isVerified: true,
      passesHalts: true,
      class: "operator",
      refusal,
      detail: hindrance?.detail ?? intent.detail,
      signatures: {},
    });
    if (claimed.kind !== "claimed") return steps.unclaimed(claimed, order, undefined);
    const clock = startOrderClock(order, events, now);
    clock("claimed");
    if (await memory.mayHaveForgottenBefore({ opened_at_ms: signed.issuedMs }))
      return steps.inDoubt(order, "claimed_before");

    const window = { openedMs: venueMs, lengthMs: claimed.windowMs };
    const { cappedByVenue } = intent;
    const unrecorded = await steps.record(order, window, {
      positionAmt: position,
      cappedByVenue,
      class: "operator",
    });
    if (unrecorded !== undefined) return unrecorded;
    const answer = await steps.send(order, window, clock);
    const disposition = await steps.settle(order, answer, clock);
    if (answer.kind === "settle" && NOTHING_TO_REDUCE.has(answer.code))
      await cancelResting(options, order, ({ reduces }) => reduces);
    return disposition;
  };

  /** Reads the position, and cancels what is in the way. */
  async function look({ side, largestQty }: SignedExit, exit: OrderRef): Promise<Finding> {
    const { symbol } = exit;
    const symbolRules = await rules.of(symbol);
    const problems: string[] = [];
    for (let readings = 1; ; readings += 1) {
      const position = await positionNow(symbol);
      if (typeof position !== "string") return { intent: { side, quantity: "0", ...position }, position: "" };
      const intent = exitIntent({ side, largestQty }, position, symbolRules);
      const isFlat = intent.refusal === "exit_flat";
      const isLast = readings === READINGS_MAX || intent.refusal === "exit_side_changed";
      if (!isLast) {
        const cancelled = await cancelResting(options, exit, ({ opens }: Resting) => isFlat || opens);
        problems.push(...cancelled.problems);
        if (cancelled.isChanged) continue;
      }
      const detail = [intent.detail, ...problems].filter((text) => text !== "").join("; ");
      return { intent: { ...intent, detail }, position };
    }
  }

  /** The position, signed, in coins, or why it cannot be read. */
  async function positionNow(symbol: string): Promise<string | Refusal> {
    try {
      const position = positionOf(await exchange.positions(symbol), symbol);
      if (position !== undefined) return position.positionAmt;
      return { refusal: "exchange_unavailable", detail: `the position of ${symbol} cannot be read` };
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      if (error.code === NO_SUCH_SYMBOL) return { refusal: "symbol_unknown", detail: error.message };
      const pause = exchange.pause("requests");
      if (pause !== undefined) return paused(pause);
      return { refusal: "exchange_unavailable", detail: error.message };
    }
  }

  /** What keeps an order from being sent now. If nothing does, it counts for the exchange's limits, but they do not refuse it. */
  function hindranceNow(): Refusal | undefined {
    const pause = exchange.pause("orders");
    if (pause !== undefined) return paused(pause);
    const [problem] = journal.problems();
    if (problem !== undefined) return { refusal: "journal_failed", detail: problem };
    exchange.reserveOrder();
    return undefined;
  }

  function paused(pause: Pause): Refusal {
    return { refusal: "rate_limited", detail: untilText(pause, now()) };
  }
}

interface Refusal {
  refusal: OrderReason;
  detail: string;
}
