/** lua/orders/recall through what calls it: each reply, and what must not have changed. */
import { beforeEach, describe, expect, it } from "vitest";
import { partitionOf } from "@quantum/contract";
import { createEvents } from "./events.ts";
import { LostClaims } from "./lost-claims.ts";
import {
  ATTEMPT,
  EXECUTED,
  keys,
  NOT_PLACED,
  ORDER,
  orderHash,
  orders,
  PLAN,
  planHash,
  redis,
  requestOf,
  results,
  SYMBOL,
  unchanged,
  useRedis,
  VENUE_MS,
  WINDOW_MS,
  wrongType,
} from "./order-scripts.fixture.ts";

useRedis();

const OTHER = "1700000000009-0";
const { planId, clientOrderId, step, side, quantity } = ORDER;
const sent = {
  planId,
  attempt: ATTEMPT,
  clientOrderId,
  atMs: 1_700_000_000_500,
  order: {
    ...{ symbol: SYMBOL, step, side, quantity, positionAmt: "0.01" },
    ...({ venueMs: VENUE_MS, windowMs: WINDOW_MS, cappedByVenue: "0", class: "" } as const),
  },
};

let resolved: number;
let failures: string[];
beforeEach(() => {
  resolved = 0;
  failures = [];
});

function lostClaims(over: Partial<ConstructorParameters<typeof LostClaims>[0]> = {}): LostClaims {
  const events = createEvents();
  events.on("failed", ({ error }) => void failures.push(error.message));
  return new LostClaims({
    redis,
    keys,
    orders,
    events,
    journal: { latest: () => [sent] },
    isHere: () => true,
    resolve: () => (resolved += 1),
    ...over,
  });
}

async function recall(over: Parameters<typeof lostClaims>[0] = {}): Promise<void> {
  const claims = lostClaims(over);
  claims.lost();
  await claims.look();
}

/** Everything that could lead to the order. */
async function forgetAll(): Promise<void> {
  await redis.del(
    keys.order(PLAN),
    keys.plan(PLAN),
    keys.spent(PLAN),
    keys.unsettled(SYMBOL),
    keys.handedOver,
  );
}

/** As consume does: record, and the result that goes with it. */
async function ended(outcome: string, attempt = ATTEMPT): Promise<string> {
  const [seconds] = await redis.time();
  const endedMs = Number(seconds) * 1000;
  await redis.hset(keys.plan(PLAN), { state: outcome, attempt, ended_at_ms: endedMs });
  return (await redis.xadd(results, `${endedMs}-7`, "plan_id", PLAN, "attempt", attempt)) ?? "";
}

const question = {
  state: "UNKNOWN",
  attempt: ATTEMPT,
  attempt_no: "1",
  client_order_id: clientOrderId,
  venue_ms: String(VENUE_MS),
  window_end_ms: String(VENUE_MS + WINDOW_MS),
  position_amt: "0.01",
  entry_id: "0-0",
  question: "1",
};

describe("ASKED", () => {
  it("an order of which Redis knows nothing is a question again, and settles once", async () => {
    await forgetAll();
    await recall();
    expect(await orderHash()).toMatchObject(question);
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
    expect(await redis.smembers(keys.unknown(SYMBOL))).toEqual([PLAN]);
    expect(await redis.smembers(keys.orderSymbols)).toEqual([SYMBOL]);
    expect([await redis.exists(keys.plan(PLAN)), await redis.xlen(results), resolved]).toEqual([0, 0, 1]);
    await unchanged(() => recall());
    await orders.settle(ORDER, EXECUTED, "query");
    expect(await redis.xlen(results)).toBe(1);
    await unchanged(() => recall());
    expect([resolved, failures]).toEqual([1, []]);
  });

  it("the record of its own attempt follows, in whatever state the loss has left it", async () => {
    await forgetAll();
    await redis.hset(keys.plan(PLAN), { state: "WAITING", attempt: ATTEMPT, deadline_ms: "1" });
    await recall();
    expect(await planHash()).toMatchObject({ state: "UNKNOWN", client_order_id: clientOrderId });
  });

  it.each(["SKIP", "BLOCKED"])("another attempt's record stays %s", async (state) => {
    await forgetAll();
    await redis.hset(keys.plan(PLAN), { state, attempt: OTHER, ended_at_ms: "1" });
    const before = await planHash();
    await recall();
    expect(await orderHash()).toMatchObject(question);
    expect(await planHash()).toEqual(before);
  });

  it("the key of an attempt that was refused is none of its order", async () => {
    await forgetAll();
    await redis.hset(keys.order(PLAN), { state: "NOT_PLACED", attempt: OTHER, reason: "handover_lost" });
    await recall();
    expect(await orderHash()).toMatchObject(question);
  });

  it.each([
    ["of the wrong type", () => wrongType(keys.order(PLAN))],
    [
      "damaged",
      () => redis.hset(keys.order(PLAN), { state: "SENT", attempt: ATTEMPT, client_order_id: "x" }),
    ],
  ])("a claim that is %s is none", async (_, damage) => {
    await forgetAll();
    await damage();
    await recall();
    expect(await orderHash()).toMatchObject(question);
  });

  it("a record of the wrong type is none", async () => {
    await forgetAll();
    await wrongType(keys.plan(PLAN));
    await recall();
    expect(await orderHash()).toMatchObject({ ...question, state: "SENT" });
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
  });

  it("an operator's order says whose it is", async () => {
    await forgetAll();
    const order = { ...sent.order, class: "operator" as const, cappedByVenue: "1" as const };
    await recall({ journal: { latest: () => [{ ...sent, order }] } });
    expect(await orderHash()).toMatchObject({ class: "operator", capped_by_venue: "1" });
  });

  it("a crash before the doubt leaves a claim that the next start finds", async () => {
    await forgetAll();
    await recall({ orders: { doubt: () => Promise.reject(new Error("crashed")) } });
    expect(failures).toEqual(["crashed"]);
    expect(await orderHash()).toMatchObject({ ...question, state: "SENT" });
    await unchanged(() => recall());
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
  });
});

describe("LATER", () => {
  it.each(["WAITING", "PERMITTED"])(
    "another attempt that is %s may become the question itself",
    async (state) => {
      await forgetAll();
      await redis.hset(keys.plan(PLAN), { state, attempt: OTHER });
      const claims = lostClaims();
      claims.lost();
      await unchanged(() => claims.look());
      await redis.hset(keys.plan(PLAN), { state: "BLOCKED", ended_at_ms: "1" });
      await claims.look();
      expect(await orderHash()).toMatchObject(question);
      expect([await redis.hget(keys.plan(PLAN), "state"), resolved]).toEqual(["BLOCKED", 1]);
    },
  );
});

describe("KNOWN", () => {
  it("a claim, a doubt and an outcome stay as they are", async () => {
    await orders.claim(await requestOf());
    await unchanged(() => recall());
    await orders.doubt(ORDER, "answer_ambiguous");
    await unchanged(() => recall());
    await orders.settle(ORDER, NOT_PLACED, "query");
    await unchanged(() => recall());
    expect(resolved).toBe(0);
  });

  it("another attempt's question is about the same order", async () => {
    const request = await requestOf();
    request.entry.attempt = OTHER;
    await redis.set(keys.spent(PLAN), `OK ${OTHER} 1700000000000 0.01`);
    expect(await orders.hold(request)).toEqual({ kind: "held" });
    await unchanged(() => recall());
  });

  it.each(["EXECUTED", "REJECTED"])("the record has the outcome %s", async (state) => {
    await forgetAll();
    await ended(state);
    await unchanged(() => recall());
    expect([resolved, failures]).toEqual([0, []]);
  });
});

describe("LATE", () => {
  it.each(["BLOCKED", "NOT_PLACED"])(
    "%s before it was asked: a fill corrects that result, once",
    async (state) => {
      await forgetAll();
      const resultId = await ended(state);
      const before = await planHash();
      await recall();
      expect(await orderHash()).toMatchObject({
        ...question,
        state: "UNPLACED",
        reason: "not_placed_by_evidence",
        result_id: resultId,
      });
      expect(await redis.ttl(keys.order(PLAN))).toBeGreaterThan(0);
      expect(await redis.zrange(keys.absent(SYMBOL), 0, -1)).toEqual([PLAN]);
      expect(await redis.hkeys(keys.absentClaims)).toEqual([PLAN]);
      expect(await redis.exists(keys.unsettled(SYMBOL), keys.unknown(SYMBOL))).toBe(0);
      expect([await planHash(), await redis.xlen(results), resolved]).toEqual([before, 1, 1]);
      await unchanged(() => recall());
    },
  );
});

describe("LATE, of a record that somebody else has written", () => {
  it.each(["", "nan", "-1", "1e3", "9".repeat(400)])(
    "ended at %j: it is queried all the same",
    async (at) => {
      await forgetAll();
      await redis.hset(keys.plan(PLAN), { state: "BLOCKED", attempt: ATTEMPT, ended_at_ms: at });
      await recall();
      expect(await orderHash()).toMatchObject({ ...question, state: "UNPLACED", result_id: "0-0" });
      expect(await redis.zrange(keys.absent(SYMBOL), 0, -1)).toEqual([PLAN]);
      expect(failures).toEqual([]);
      await unchanged(() => recall());
    },
  );

  it("results of the wrong type: nothing is changed, and it stays due", async () => {
    await forgetAll();
    await ended("BLOCKED");
    await wrongType(results);
    await unchanged(() => recall());
    expect(failures[0]).toContain("WRONGTYPE");
  });
});

describe("what is looked for", () => {
  it("is nothing before a loss, and nothing that belongs to another partition", async () => {
    await forgetAll();
    await unchanged(() => lostClaims().look());
    const isHere = (symbol: string) => partitionOf(symbol, 3) !== partitionOf(SYMBOL, 3);
    await unchanged(() => recall({ isHere }));
    expect([resolved, failures]).toEqual([0, []]);
  });

  it("stays due where Redis refuses it, and then is asked", async () => {
    await forgetAll();
    await wrongType(keys.unsettled(SYMBOL));
    const claims = lostClaims();
    claims.lost();
    await claims.look();
    expect(failures[0]).toContain("WRONGTYPE");
    expect(await redis.exists(keys.order(PLAN))).toBe(0);
    await redis.del(keys.unsettled(SYMBOL));
    await claims.look();
    expect(await orderHash()).toMatchObject(question);
  });
});
