/**
 * Finishes plans whose permits are spent and which have lost something: the execute entry, the claim, an index, or the
 * record. Every few seconds it looks at each plan that was handed over and has no outcome:
 *
 * - If it is claimed, the indexes that drive the resolver are corrected.
 * - If it was not claimed in time, it ends NOT_PLACED. Its entry finds that outcome if it still arrives.
 * - If its claim is lost, or Redis may have lost it, it is claimed again, only to query the exchange.
 *
 * It also keeps each order that ended by evidence of absence findable, so that it is still queried, and looks for orders of which
 * Redis has forgotten everything (lost-claims.ts).
 *
 * Nothing here sends an order.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  executeEntry,
  type ExecuteEntry,
  type ExitClass,
  isExitClass,
  type Keys,
  parseRecordOrNone,
  planRecord,
  TTL_SEC,
} from "@quantum/contract";
import { clientOrderId, type Exchange, type RuleBook } from "@quantum/exchange";
import { dropMistyped, type Index } from "@quantum/permits";
import { askRedisTime, bindScript, type RedisClient } from "@quantum/redis";
import type { Watched } from "@quantum/service-kit";
import { fieldsOf } from "@quantum/streams";
import { z } from "zod";
import { orderIntent } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import { exitAtMost } from "./exit/exit-order.ts";
import { keepLateOrders } from "./late-orders.ts";
import type { LostClaims } from "./lost-claims.ts";
import type { HoldRequest, Orders } from "./orders.ts";
import type { RedisMemory } from "./redis-memory.ts";

const indexScript = bindScript("orders/index");
const lostScript = bindScript("orders/handover_lost");

const SWEEP_EVERY_MS = 5_000;
/** An entry that is this late is lost, and not just delayed within this process. */
const LATE_MS = 2_000;
/** No claim is valid for longer. A time further away was written before Redis's clock stepped back. */
const LONGEST_MS = 60_000;
/** No entry has this id, so acknowledging it changes nothing. */
const NO_ENTRY = "0-0";

export interface HandOverOptions {
  redis: RedisClient;
  keys: Keys;
  group: string;
  orders: Orders;
  exchange: Exchange;
  rules: RuleBook;
  memory: RedisMemory;
  lostClaims: LostClaims;
  events: ExecutorEvents;
  /** Schedules the queries for orders in doubt. */
  resolve: () => void;
  recvWindowMs: number;
}

interface HandOver {
  entry: ExecuteEntry;
  /** In `apply.execute`. */
  entryId: string;
  /** Of an operator's plan. */
  class: ExitClass | undefined;
}

/** An order that is queried. */
interface Question extends Pick<HandOver, "entryId" | "class"> {
  entry: HoldRequest["entry"];
  intent: HoldRequest["intent"];
}

export class Handovers {
  readonly #options: HandOverOptions;
  readonly #stopping = new AbortController();
  /** Every symbol that was ever listed here. Nothing else remembers the symbols of orders that have ended. */
  readonly #symbols = new Set<string>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** The first sweep comes after a pause, so that waiting entries are read first. */
  start(progress: Watched): void {
    const { signal } = this.#stopping;
    const sweep = progress.loop("look after handed-over plans", SWEEP_EVERY_MS, () => this.sweep());
    this.#running = (async () => {
      for (;;) {
        await delay(SWEEP_EVERY_MS, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        await sweep().catch((error: unknown) => this.#failed("look after handed-over plans", error));
      }
    })();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** A plan that fails does not stop the sweep of the others. */
  async sweep(): Promise<void> {
    const { redis, keys, lostClaims, memory } = this.#options;
    const plans = await this.#handedOver();
    await lostClaims.look(memory);
    const symbols = new Set([...plans.values()].map(({ entry }) => entry.symbol));
    for (const symbol of await this.#listed()) symbols.add(symbol);
    await this.#heal([...symbols].flatMap((symbol) => indexesOf(keys, symbol)));
    const symbolOf = new Map([...plans].map(([planId, { entry }]) => [planId, entry.symbol]));
    for (const symbol of symbols) {
      // Together: a rejection of the second while the first is awaited would be nobody's, and end the process.
      const listed = await Promise.all([
        redis.zrange(keys.unsettled(symbol), 0, -1),
        redis.smembers(keys.unknown(symbol)),
      ]);
      for (const planId of listed.flat()) symbolOf.set(planId, symbol);
    }
    // A record of the wrong type would block the settlement of its order. A missing one does not.
    const records = [...symbolOf.keys()].map((planId) => keys.plan(planId));
    await this.#heal(records.map((key) => ({ key, type: "hash" })));
    for (const [planId, symbol] of symbolOf) {
      await this.#look(planId, symbol, plans.get(planId)).catch((error: unknown) =>
        this.#failed(`look after plan ${planId}`, error),
      );
    }
    await keepLateOrders({ redis, keys, onError: (doing, error) => this.#failed(doing, error) }, symbols);
  }

  async #handedOver(): Promise<Map<string, HandOver>> {
    const { redis, keys } = this.#options;
    await this.#heal([
      { key: keys.handedOver, type: "hash" },
      { key: keys.orderSymbols, type: "set" },
      // Without this key, Redis counts as having lost data, which only leads to queries.
      { key: keys.orderEpoch, type: "string" },
    ]);
    const plans = new Map<string, HandOver>();
    for (const [planId, text] of Object.entries(await redis.hgetall(keys.handedOver))) {
      try {
        const fields = fieldsOf(flatText.parse(JSON.parse(text)));
        const { entry_id: entryId = NO_ENTRY, class: exitClass = "" } = fields;
        plans.set(planId, {
          entry: executeEntry.parse(fields),
          entryId,
          class: isExitClass(exitClass) ? exitClass : undefined,
        });
      } catch (error) {
        this.#failed(`read the handover of plan ${planId}`, error);
      }
    }
    return plans;
  }

  /** The symbols whose orders are checked. A symbol that the index has lost is added again. */
  async #listed(): Promise<ReadonlySet<string>> {
    const { redis, keys } = this.#options;
    const listed = new Set(await redis.smembers(keys.orderSymbols));
    const lost = this.#symbols.difference(listed);
    for (const symbol of listed) this.#symbols.add(symbol);
    if (lost.size > 0) await redis.sadd(keys.orderSymbols, ...lost);
    return this.#symbols;
  }

  async #heal(indexes: readonly Index[]): Promise<void> {
    for (const key of await dropMistyped(this.#options.redis, indexes))
      this.#failed(`read ${key}`, new Error("it had the wrong type and is rebuilt"));
  }

  async #look(planId: string, symbol: string, handOver: HandOver | undefined): Promise<void> {
    const { redis, keys, memory } = this.#options;
    const [place] = await indexScript(redis, {
      keys: {
        order: keys.order(planId),
        unsettled: keys.unsettled(symbol),
        unknown: keys.unknown(symbol),
        symbols: keys.orderSymbols,
        handed_over: keys.handedOver,
      },
      args: { plan_id: planId, symbol },
    });
    if (place !== "ABSENT") return;
    if (handOver === undefined) return this.#askByRecord(planId, symbol);
    const { entry } = handOver;
    // A drill names no symbol, and has sent nothing that could be queried.
    const isDrill = handOver.class === "drill";
    await memory.announce(isDrill ? undefined : symbol);
    if (isDrill || !memory.mayHaveForgotten(entry)) {
      const isClaimed = await this.#endUnclaimed(handOver);
      if (isDrill || !isClaimed) return;
    } else if (!isOver(entry.valid_until_ms, await askRedisTime(redis))) return;
    const rules = await this.#options.rules.of(symbol);
    const intent = handOver.class === undefined ? orderIntent(entry, rules) : exitAtMost(entry);
    await this.#ask({ ...handOver, intent });
  }

  /** @returns whether it was claimed, so that only the exchange knows its outcome */
  async #endUnclaimed({ entry }: HandOver): Promise<boolean> {
    const { redis, keys, group, events, memory } = this.#options;
    const { plan_id: planId, symbol, step } = entry;
    const [status] = await lostScript(redis, {
      keys: {
        order: keys.order(planId),
        unsettled: keys.unsettled(symbol),
        plan: keys.plan(planId),
        executes: keys.streams.execute,
        results: keys.streams.result,
        handed_over: keys.handedOver,
      },
      args: {
        plan_id: planId,
        group,
        margin_ms: String(LATE_MS),
        settled_sec: String(TTL_SEC.order),
        replication_id: memory.replicationId,
      },
    });
    if (status === "REPLACED") await memory.ask();
    if (status === "ENDED") events.emit("refused", { planId, symbol, step, reason: "handover_lost" });
    return status === "CLAIMED";
  }

  /** Claim and handover are lost, but the record has the client order id as well. */
  async #askByRecord(planId: string, symbol: string): Promise<void> {
    const { redis, keys, recvWindowMs } = this.#options;
    const record = claimedPart(await redis.hgetall(keys.plan(planId)));
    if (record === undefined) {
      await redis.zrem(keys.unsettled(symbol), planId);
      await redis.srem(keys.unknown(symbol), planId);
      throw new Error("its claim, its handover and its record are gone: it is struck off the indexes");
    }
    const { sent_at_ms: sentAtMs, side, quantity, class: exitClass, ...order } = record;
    // Until then its order may still reach the exchange.
    const windowEndMs = sentAtMs + recvWindowMs;
    if (!isOver(windowEndMs, await askRedisTime(redis))) return;
    const entry = { ...order, plan_id: planId, symbol, valid_until_ms: windowEndMs };
    await this.#ask({ entry, intent: { side, quantity }, entryId: NO_ENTRY, class: exitClass });
  }

  async #ask({ entry, entryId, intent, class: exitClass }: Question): Promise<void> {
    const { orders, exchange, resolve } = this.#options;
    const { plan_id: planId, symbol, step, attempt } = entry;
    const order = {
      planId,
      symbol,
      step,
      attempt,
      entryId,
      clientOrderId: clientOrderId(planId, entry.attempt_no),
      side: intent.side,
      quantity: intent.quantity,
    };
    const held = await orders.hold({
      entryId,
      entry,
      intent,
      clientOrderId: order.clientOrderId,
      venueMs: exchange.now(),
      isVerified: true,
      class: exitClass,
    });
    if (held.kind === "unspent") throw new Error("nothing proves that its permits were spent");
    if (held.kind === "held" && (await orders.doubt(order, "claimed_before"))) resolve();
  }

  #failed(doing: string, error: unknown): void {
    this.#options.events.emit("failed", { doing, error: error as Error });
  }
}

function indexesOf(keys: Keys, symbol: string): Index[] {
  return [
    { key: keys.unsettled(symbol), type: "zset" },
    { key: keys.unknown(symbol), type: "set" },
  ];
}

const flatText = z.array(z.string());

/** What a claim wrote to the plan's record; undefined without a claim, or if the record cannot be read. */
function claimedPart(hash: Record<string, string>) {
  if (hash["state"] !== "SENT" && hash["state"] !== "UNKNOWN") return undefined;
  return parseRecordOrNone(
    planRecord,
    hash,
    ["step", "attempt", "attempt_no", "sent_at_ms", "side", "quantity"],
    ["class"],
  );
}

function isOver(untilMs: number, nowMs: number): boolean {
  return nowMs > untilMs + LATE_MS || untilMs > nowMs + LONGEST_MS;
}
