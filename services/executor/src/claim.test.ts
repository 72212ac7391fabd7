/**
 * lua/orders/claim through its typed wrapper: every reply, what must not change, repeated, concurrent, and with keys of
 * the wrong type.
 */
import { utcDay } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import type { ClaimRequest } from "./orders.ts";
import {
  ATTEMPT,
  entryId,
  events,
  executes,
  keys,
  orderHash,
  orders,
  ordersOn,
  pending,
  PLAN,
  planHash,
  redis,
  requestOf,
  resultCount,
  results,
  second,
  spentFor,
  SYMBOL,
  unchanged,
  useRedis,
  VENUE_MS,
  WINDOW_MS,
  wrongType,
} from "./order-scripts.fixture.ts";

useRedis();

describe("claim", () => {
  it("CLAIMED: claim, window and index stand before anything is sent; no result, no ack, no TTL", async () => {
    expect(await orders.claim(await requestOf())).toEqual({ kind: "claimed", windowMs: WINDOW_MS });
    expect(await orderHash()).toMatchObject({
      state: "SENT",
      attempt: ATTEMPT,
      client_order_id: `qp-${PLAN}-1`,
      side: "SELL",
      quantity: "0.010",
      window_end_ms: String(VENUE_MS + WINDOW_MS),
      question: "0",
      entry_id: entryId,
    });
    expect(await redis.ttl(keys.order(PLAN))).toBe(-1);
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
    expect(await planHash()).toMatchObject({ state: "SENT", client_order_id: `qp-${PLAN}-1` });
    expect([await resultCount(), await pending()]).toEqual([0, 1]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["another executor owns the orders", () => redis.hset(keys.orderOwner, "instance", "executor-2")],
    ["nobody owns the orders", () => redis.del(keys.orderOwner)],
    ["the owner's key has the wrong type", () => wrongType(keys.orderOwner)],
  ])("NOT_OWNER: nothing changes where %s, not even by a refusal", async (_, change) => {
    await change();
    for (const over of [{}, { refusal: "rate_limited" as const }, { validForMs: -1 }]) {
      const request = await requestOf(over);
      await unchanged(async () => expect(await orders.claim(request)).toEqual({ kind: "not_owner" }));
    }
    // A question sends nothing, so any executor may ask it.
    expect(await orders.hold(await requestOf())).toEqual({ kind: "held" });
    await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "not_owner" }));
  });

  it("CLAIMED: the window ends by valid_until (I6)", async () => {
    const claimed = await orders.claim(await requestOf({ validForMs: 2000 }));
    if (claimed.kind !== "claimed") throw new Error(claimed.kind);
    expect(claimed.windowMs).toBeGreaterThan(0);
    expect(claimed.windowMs).toBeLessThanOrEqual(2000);
    expect((await orderHash())["window_end_ms"]).toBe(String(VENUE_MS + claimed.windowMs));
  });

  it.each([
    ["claim", true],
    ["claim", undefined],
    ["hold", true],
  ] as const)("%s keeps whether the venue capped the order (%s)", async (ask, cappedByVenue) => {
    const intent = { side: "SELL", quantity: "0.010", ...(cappedByVenue && { cappedByVenue }) } as const;
    await orders[ask](await requestOf({ intent }));
    expect(await orderHash()).toMatchObject({ capped_by_venue: cappedByVenue ? "1" : "0" });
  });

  it("HELD: the second run changes nothing, also after SCRIPT FLUSH", async () => {
    await orders.claim(await requestOf());
    await redis.script("FLUSH");
    await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "held" }));
  });

  it("of two callers at once, one may send (I1)", async () => {
    const request = await requestOf();
    const kinds = await Promise.all(
      [orders, ordersOn(second)].map(async (side) => (await side.claim(request)).kind),
    );
    expect(kinds.toSorted()).toEqual(["claimed", "held"]);
  });

  it.each<[string, string, string[]]>([
    ["kill_switch_active", "a set kill switch", ["SET", keys.killSwitch, "1"]],
    ["kill_switch_active", "an unknown kill switch", ["SET", keys.killSwitch, "maybe"]],
    ["kill_switch_active", "an unreadable kill switch", ["LPUSH", keys.killSwitch, "0"]],
    ["disarmed", "a disarm", ["SET", keys.disarm, "{}"]],
    ["disarmed", "today's disarm", ["SET", keys.disarmOf(utcDay(Date.now())), "{}"]],
  ])("REFUSED: %s by %s (I6)", async (reason, _, [command = "", ...args]) => {
    await redis.call(command, ...args);
    expect(await refusal(await requestOf())).toBe(reason);
  });
  it("REFUSED: by a kill switch that comes before it, if only just (I6)", async () => {
    // During the pause Redis answers reads and queues writes: the kill switch, then the claim.
    await redis.call("CLIENT", "PAUSE", "250", "WRITE");
    const halting = second.set(keys.killSwitch, "1");
    await redis.ping();
    expect(await refusal(await requestOf())).toBe("kill_switch_active");
    await halting;
  });
  it("REFUSED: past valid_until (I6)", async () => {
    expect(await refusal(await requestOf({ validForMs: -1000 }))).toBe("execute_expired");
  });
  it("REFUSED: permits were spent in the future, so that nobody knows how long ago", async () => {
    await redis.set(keys.spent(PLAN), `OK ${ATTEMPT} ${Date.now() + 60_000} 0.01`);
    expect(await refusal(await requestOf())).toBe("execute_expired");
  });
  it("REFUSED: what the caller cannot place", async () => {
    expect(await refusal(await requestOf({ refusal: "quantity_below_minimum" }))).toBe(
      "quantity_below_minimum",
    );
  });

  it("REFUSED: too late for any order to reach the exchange in time", async () => {
    expect(await refusal(await requestOf({ validForMs: 20 }))).toBe("execute_expired");
  });

  /**
   * Checks everything that a refusal does.
   * @returns its reason
   */
  async function refusal(request: ClaimRequest): Promise<string> {
    expect(await orders.claim(request)).toEqual({ kind: "ended" });
    const { reason = "" } = await orderHash();
    expect(events).toEqual(["refused"]);
    expect(await orderHash()).toMatchObject({ state: "NOT_PLACED", attempt: ATTEMPT, attempt_no: "1" });
    expect(await redis.ttl(keys.order(PLAN))).toBeGreaterThan(0);
    expect(await planHash()).toMatchObject({ state: "NOT_PLACED", reason });
    expect(await redis.exists(keys.unsettled(SYMBOL), keys.unknown(SYMBOL))).toBe(0);
    expect([await resultCount(), await pending()]).toEqual([1, 0]);
    const [result] = await redis.xrange(results, "-", "+");
    expect(result?.[1].slice(0, 14)).toEqual(
      ["plan_id", PLAN, "symbol", SYMBOL, "decision", "EXECUTE", "executed", "False"].concat([
        "would_execute",
        "False",
        "steps_results",
        "[]",
        "error",
        reason,
      ]),
    );
    await unchanged(async () => expect(await orders.claim(request)).toEqual({ kind: "ended" }));
    expect(events).toEqual(["refused"]);
    return reason;
  }

  it.each(["0", "false", "Off", " no "])("runs under a kill switch of %j", async (value) => {
    await redis.set(keys.killSwitch, value);
    expect(await orders.claim(await requestOf())).toMatchObject({ kind: "claimed" });
  });

  it("REFUSED: another attempt's order stays as it is, and there is one result (I1, I3)", async () => {
    await redis.hset(keys.order(PLAN), { state: "EXECUTED", attempt: "1-0", order_id: "7" });
    expect(await orders.claim(await requestOf())).toEqual({ kind: "ended" });
    expect(await orderHash()).toEqual({ state: "EXECUTED", attempt: "1-0", order_id: "7" });
    expect([await resultCount(), await pending()]).toEqual([1, 0]);
    await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "ended" }));
  });

  it.each(["NOT_PLACED", "REJECTED", "UNKNOWN"])(
    "REFUSED: what an earlier attempt claimed was perhaps sent, also if it ended %s (I1)",
    async (state) => {
      await redis.hset(keys.order(PLAN), { state, attempt: "1-0", client_order_id: `qp-${PLAN}-1` });
      const before = await orderHash();
      expect(await orders.claim(await requestOf({ clientOrderId: `qp-${PLAN}-2` }))).toEqual({
        kind: "ended",
      });
      expect(await orderHash()).toEqual(before);
      expect(await planHash()).toMatchObject({ state: "NOT_PLACED", reason: "duplicate_order" });
      expect([await resultCount(), await pending()]).toEqual([1, 0]);
      await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "ended" }));
    },
  );

  it("REFUSED: such an attempt has its result also if its entry is lost, once (I3)", async () => {
    await redis.hset(keys.order(PLAN), {
      state: "REJECTED",
      attempt: "1-0",
      client_order_id: `qp-${PLAN}-1`,
    });
    await redis.hset(keys.handedOver, PLAN, JSON.stringify(["attempt", ATTEMPT]));
    await redis.xgroup("SETID", keys.streams.execute, "executor", "0");
    await redis.xack(keys.streams.execute, "executor", entryId);
    expect(await orders.hold(await requestOf())).toEqual({ kind: "ended" });
    expect(await planHash()).toMatchObject({ state: "NOT_PLACED", reason: "duplicate_order" });
    expect(await resultCount()).toBe(1);
    await unchanged(async () => expect(await orders.hold(await requestOf())).toEqual({ kind: "ended" }));
    // It was not lost, only late.
    await redis.xreadgroup("GROUP", "executor", "c", "STREAMS", keys.streams.execute, ">");
    expect(await orders.claim(await requestOf())).toEqual({ kind: "ended" });
    expect([await resultCount(), await pending()]).toEqual([1, 0]);
  });

  it("CLAIMED: an earlier attempt that was refused before its claim makes way", async () => {
    await redis.hset(keys.order(PLAN), { state: "NOT_PLACED", attempt: "1-0", why: "old" });
    expect(await orders.claim(await requestOf())).toMatchObject({ kind: "claimed" });
    expect((await orderHash())["why"]).toBeUndefined();
  });

  it("SETTLED: an ended attempt is only acknowledged", async () => {
    await redis.hset(keys.order(PLAN), { state: "REJECTED", attempt: ATTEMPT });
    expect(await orders.claim(await requestOf())).toEqual({ kind: "ended" });
    expect([await resultCount(), await pending()]).toEqual([0, 0]);
    expect(events).toEqual([]);
  });

  it.each([undefined, "OK 1-0 1 0.01", `OK ${ATTEMPT} 1 0.0099`, `DRY_RUN ${ATTEMPT} 1 0.01`])(
    "UNSPENT by %s: nothing changes (I2)",
    async (spent) => {
      await (spent === undefined ? redis.del(keys.spent(PLAN)) : redis.set(keys.spent(PLAN), spent));
      await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "unspent" }));
    },
  );

  it("leaves a record that is gone or another attempt's alone", async () => {
    await redis.hset(keys.plan(PLAN), { attempt: "9-9", state: "WAITING" });
    await orders.claim(await requestOf());
    expect(await planHash()).toMatchObject({ attempt: "9-9", state: "WAITING" });
    await redis.del(keys.plan(PLAN), keys.order(PLAN));
    await orders.claim(await requestOf());
    expect(await redis.exists(keys.plan(PLAN))).toBe(0);
  });

  it("HELD: an order key of a wrong type may have been a claim, so the exchange is asked (I1)", async () => {
    await wrongType(keys.order(PLAN));
    expect(await orders.claim(await requestOf({ refusal: "quantity_below_minimum" }))).toEqual({
      kind: "held",
    });
    expect(await orderHash()).toMatchObject({ state: "SENT", client_order_id: `qp-${PLAN}-1` });
  });

  it.each([
    ["deleted", () => redis.del(keys.order(PLAN))],
    ["of a wrong type", () => wrongType(keys.order(PLAN))],
  ])(
    "of an entry that comes again, its order key %s, follows the record: no second order, no second result",
    async (_, strike) => {
      const request = await requestOf();
      expect(await orders.claim(request)).toMatchObject({ kind: "claimed" });
      await strike();
      expect(await orders.claim(request)).toEqual({ kind: "held" });
      expect(await orderHash()).toMatchObject({ state: "SENT", question: "1" });
      await redis.hset(keys.plan(PLAN), { state: "EXECUTED" });
      await strike();
      const before = await planHash();
      expect(await orders.claim(request)).toEqual({ kind: "ended" });
      expect(await planHash()).toEqual(before);
      expect([await resultCount(), await pending()]).toEqual([0, 0]);
    },
  );

  it.each([
    ["by the caller", { refusal: "quantity_below_minimum" }],
    ["as late", { validForMs: -1 }],
  ] as const)("REFUSED %s: is finished wholly when Redis runs out of memory", async (_, over) => {
    const request = await requestOf(over);
    await orders.claim({ ...request, entry: { ...request.entry, plan_id: "f".repeat(16) } }); // Loads the script.
    await redis.config("SET", "maxmemory", "1");
    try {
      expect(await orders.claim(request)).toEqual({ kind: "ended" });
    } finally {
      await redis.config("SET", "maxmemory", "0");
    }
    expect(await orderHash()).toMatchObject({ state: "NOT_PLACED" });
    expect(await resultCount()).toBe(1);
    expect(await pending()).toBe(0);
  });

  it("UNSPENT by a `spent` of a wrong type: it proves nothing (I2)", async () => {
    await wrongType(keys.spent(PLAN));
    await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "unspent" }));
  });

  it.each([
    ["unsettled", keys.unsettled(SYMBOL)],
    ["handed_over", keys.handedOver],
    ["plan", keys.plan(PLAN)],
    ["results", results],
    ["executes", executes],
  ])("fails whole on a wrong type of %s", async (_, key) => {
    await wrongType(key);
    for (const refusal of ["", "quantity_below_minimum"] as const) {
      await unchanged(async () =>
        expect(orders.claim(await requestOf({ refusal }))).rejects.toThrow("WRONGTYPE"),
      );
    }
  });

  it("REFUSED: permits that are not believed end the plan that they were spent for, with the reason and why", async () => {
    await spentFor(entryId);
    const request = await requestOf({
      refusal: "permit_forged",
      detail: "p33: no key of p33 is known",
      isVerified: false,
      signatures: { governor: "valid", p33: "permit_forged" },
    });
    expect(await refusal(request)).toBe("permit_forged");
    const detail = "p33: no key of p33 is known";
    expect(await planHash()).toMatchObject({
      detail,
      governor_signature: "valid",
      p33_signature: "permit_forged",
    });
    const [result] = await redis.xrange(results, "-", "+");
    expect(result?.[1].join()).toContain(`detail,${detail}`);
  });

  it("CLAIMED: the record keeps what is known of each signature", async () => {
    await spentFor(entryId);
    await orders.claim(await requestOf({ signatures: { governor: "unsigned", p33: "valid" } }));
    expect(await planHash()).toMatchObject({ governor_signature: "unsigned", p33_signature: "valid" });
  });

  it.each<[string, boolean, (() => Promise<unknown>) | undefined]>([
    ["of an open plan", true, undefined],
    ["of an open plan, not believed", false, undefined],
    ["of a claimed plan", true, async () => orders.claim(await requestOf())],
    ["of a claimed plan, not believed", false, async () => orders.claim(await requestOf())],
    ["of a plan that has ended", true, () => redis.hset(keys.plan(PLAN), { state: "EXECUTED" })],
  ])(
    "UNSPENT: an entry %s that the permits were not spent for changes nothing",
    async (_, isVerified, before) => {
      await spentFor(entryId);
      await before?.();
      const stray = (await redis.xadd(executes, "*", "plan_id", PLAN)) ?? "";
      for (const ask of [orders.claim, orders.hold]) {
        const request = await requestOf({ entryId: stray, isVerified });
        await unchanged(async () => expect(await ask(request)).toEqual({ kind: "unspent" }));
      }
    },
  );

  it("UNSPENT: what is not believed changes nothing either where `spent` does not say for which entry", async () => {
    for (const ask of [orders.claim, orders.hold]) {
      const request = await requestOf({ isVerified: false, refusal: "permit_forged" });
      await unchanged(async () => expect(await ask(request)).toEqual({ kind: "unspent" }));
    }
  });

  it("HELD: a claimed order whose permits have expired meanwhile is queried", async () => {
    await spentFor(entryId);
    await orders.claim(await requestOf());
    const again = await requestOf({ isVerified: false, refusal: "permit_expired" });
    for (const ask of [orders.claim, orders.hold])
      await unchanged(async () => expect(await ask(again)).toEqual({ kind: "held" }));
  });
});
