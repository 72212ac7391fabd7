/**
 * Orders that were sent from here, and of which Redis knows nothing any more: a failover or a flush may lose a plan with all that
 * could lead to it. After each loss, and at the start, every order of the journal's latest is looked for in Redis. One without a
 * claim is claimed again, as a question. From there on it is like any order in doubt, and gets exactly one outcome.
 *
 * Nothing here sends an order.
 */
import { type Keys, TTL_SEC } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { ExecutorEvents } from "./events.ts";
import type { PartitionJournal } from "./journal.ts";
import type { SentOrder } from "./journal-lines.ts";
import type { Orders } from "./orders.ts";
import type { RedisMemory } from "./redis-memory.ts";

const recallScript = bindScript("orders/recall");

/** Orders that are looked for at the same time. */
const AT_ONCE = 100;
/** No entry has this id, so acknowledging it changes nothing. */
const NO_ENTRY = "0-0";

export interface LostClaimsOptions {
  redis: RedisClient;
  keys: Keys;
  orders: Pick<Orders, "doubt">;
  journal: Pick<PartitionJournal, "latest">;
  events: ExecutorEvents;
  /** Whether this partition has the symbol's orders. */
  isHere: (symbol: string) => boolean;
  /** Schedules the queries for orders in doubt. */
  resolve: () => void;
}

export class LostClaims {
  readonly #options: LostClaimsOptions;
  /** By plan id: not yet looked for since the last loss. */
  readonly #due = new Map<string, SentOrder>();
  #looking: Promise<void> = Promise.resolve();

  constructor(options: LostClaimsOptions) {
    this.#options = options;
  }

  /** Redis may have forgotten every order that was sent until now. */
  lost = (): void => {
    const { journal, isHere } = this.#options;
    for (const sent of journal.latest()) if (isHere(sent.order.symbol)) this.#due.set(sent.planId, sent);
    void this.look();
  };

  /** Looks for what is due. What cannot be looked for now stays due. @param memory finds a loss that nothing else has shown yet */
  async look(memory?: Pick<RedisMemory, "announce">): Promise<void> {
    await memory?.announce(undefined);
    this.#looking = this.#looking.then(() => this.#look());
    await this.#looking;
  }

  async #look(): Promise<void> {
    const due = [...this.#due.values()];
    for (let from = 0; from < due.length; from += AT_ONCE) {
      const some = due.slice(from, from + AT_ONCE);
      const asked = await Promise.allSettled(some.map((sent) => this.#ask(sent)));
      const failed = asked.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") {
        const error = failed.reason as Error;
        this.#options.events.emit("failed", {
          doing: "look for orders that Redis may have forgotten",
          error,
        });
      }
    }
  }

  async #ask(sent: SentOrder): Promise<void> {
    const { redis, keys, orders, resolve } = this.#options;
    const { planId, attempt, clientOrderId, order } = sent;
    const { symbol, step, side, quantity } = order;
    const [status] = await recallScript(redis, {
      keys: {
        order: keys.order(planId),
        unsettled: keys.unsettled(symbol),
        plan: keys.plan(planId),
        results: keys.streams.result,
        symbols: keys.orderSymbols,
        absent: keys.absent(symbol),
        absent_claims: keys.absentClaims,
      },
      args: {
        plan_id: planId,
        symbol,
        attempt,
        attempt_no: clientOrderId.slice(clientOrderId.lastIndexOf("-") + 1),
        client_order_id: clientOrderId,
        side,
        quantity,
        step,
        venue_ms: String(order.venueMs),
        window_ms: String(order.windowMs),
        position_amt: order.positionAmt,
        capped_by_venue: order.cappedByVenue,
        class: order.class,
        settled_sec: String(TTL_SEC.order),
      },
    });
    if (status === "ASKED") {
      const claimed = { planId, symbol, step, attempt, entryId: NO_ENTRY, clientOrderId, side, quantity };
      await orders.doubt(claimed, "claimed_before");
    }
    if (status === "LATER") return;
    this.#due.delete(planId);
    if (status !== "KNOWN") resolve();
  }
}
