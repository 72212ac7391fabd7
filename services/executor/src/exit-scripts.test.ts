/**
 * lua/orders with an operator's plan, through its typed wrappers: what halts do not stop, whose word that is, and that the claim
 * and every result say whose plan it was. An ordinary plan's claim and result are what they were.
 */
import { type ExitClass, TTL_SEC, utcDay } from "@quantum/contract";
import { bindScript } from "@quantum/redis";
import { parseEntries } from "@quantum/streams";
import { describe, expect, it } from "vitest";
import type { ClaimRequest } from "./orders.ts";
import {
  ATTEMPT,
  entryId,
  EXECUTED,
  executes,
  GROUP,
  keys,
  NOT_PLACED,
  ORDER,
  orderHash,
  orders,
  pending,
  PLAN,
  planHash,
  redis,
  requestOf,
  resultCount,
  results,
  spentFor,
  SYMBOL,
  unchanged,
  useRedis,
} from "./order-scripts.fixture.ts";

useRedis();

const lost = bindScript("orders/handover_lost");
const adopt = bindScript("orders/adopt");
const keepAbsent = bindScript("orders/keep_absent");
const note = bindScript("orders/note");

/** As the executor claims it, once it has verified the signature. */
const EXIT = { class: "operator", passesHalts: true } as const satisfies Partial<ClaimRequest>;
const HALTS: [what: string, key: string, value: string][] = [
  ["the kill switch", keys.killSwitch, "1"],
  ["a disarm", keys.disarm, "{}"],
  ["today's disarm", keys.disarmOf(utcDay(Date.now())), "{}"],
];

const lastResult = async () => parseEntries(await redis.xrange(results, "-", "+")).at(-1)?.fields ?? {};
const namesOf = (fields: Record<string, string>) => Object.keys(fields).filter((name) => name !== "class");

/** The same without an operator, on the same plan. */
async function ordinarily<T>(act: (over: Partial<ClaimRequest>) => Promise<T>): Promise<T> {
  await redis.del(keys.order(PLAN), results, keys.unsettled(SYMBOL), keys.unknown(SYMBOL));
  await redis.del(keys.absent(SYMBOL), keys.absentClaims);
  await redis.del(keys.plan(PLAN));
  await redis.hset(keys.plan(PLAN), { state: "PERMITTED", symbol: SYMBOL, attempt: ATTEMPT });
  return act({});
}

describe("a claim that passes halts", () => {
  it.each(HALTS)("CLAIMED under %s, which stays", async (_, key, value) => {
    await redis.set(key, value);
    expect(await orders.claim(await requestOf(EXIT))).toMatchObject({ kind: "claimed" });
    expect(await orderHash()).toMatchObject({ state: "SENT", class: "operator" });
    expect(await redis.get(key)).toBe(value);
    expect([await resultCount(), await pending()]).toEqual([0, 1]);
    await unchanged(async () => expect(await orders.claim(await requestOf(EXIT))).toEqual({ kind: "held" }));
  });

  it.each(HALTS)("REFUSED under %s where only Redis says that it may pass", async (_, key, value) => {
    await redis.set(key, value);
    await redis.hset(keys.plan(PLAN), { class: "operator", passes_halts: "1" });
    await redis.hset(keys.handedOver, PLAN, JSON.stringify(["attempt", ATTEMPT, "class", "operator"]));
    // Not even the class that the caller has read there.
    expect(await orders.claim(await requestOf({ class: "operator" }))).toEqual({ kind: "ended" });
    expect(await planHash()).toMatchObject({ state: "NOT_PLACED" });
    expect((await planHash())["reason"]).toMatch(/^(kill_switch_active|disarmed)$/);
  });

  it.each<[string, Partial<ClaimRequest> & { validForMs?: number }, string]>([
    ["past valid_until (I6)", { validForMs: -1 }, "execute_expired"],
    ["that the caller cannot place", { refusal: "exit_flat" }, "exit_flat"],
    ["of a drill", { refusal: "exit_drill", class: "drill" }, "exit_drill"],
  ])("REFUSED %s, under a halt with its own reason", async (_, over, reason) => {
    await redis.set(keys.killSwitch, "1");
    const request = await requestOf({ ...EXIT, ...over });
    expect(await orders.claim(request)).toEqual({ kind: "ended" });
    expect(await orderHash()).toMatchObject({ state: "NOT_PLACED", reason, class: request.class });
    expect(await lastResult()).toMatchObject({ outcome: "NOT_PLACED", reason, class: request.class });
    await unchanged(async () => expect(await orders.claim(request)).toEqual({ kind: "ended" }));
  });

  it.each<[string, Partial<ClaimRequest>]>([
    ["was not verified", { isVerified: false }],
    ["is no exit", { class: undefined }],
    ["is a drill", { class: "drill" }],
  ])("is an error for an order that %s", async (_, over) => {
    const request = await requestOf({ ...EXIT, ...over });
    await unchanged(() => expect(orders.claim(request)).rejects.toThrow("only an exit that was verified"));
  });

  it("changes nothing else: no owner, no spent permits, another attempt's order (I1, I2)", async () => {
    const request = await requestOf(EXIT);
    await redis.hset(keys.orderOwner, "instance", "executor-2");
    await unchanged(async () => expect(await orders.claim(request)).toEqual({ kind: "not_owner" }));
    await redis.hset(keys.orderOwner, "instance", "executor-1");
    await redis.set(keys.spent(PLAN), `OK ${ATTEMPT} 1 0.0099`);
    await unchanged(async () => expect(await orders.claim(request)).toEqual({ kind: "unspent" }));
    await redis.set(keys.spent(PLAN), `OK ${ATTEMPT} 1 0.01`);
    await redis.hset(keys.order(PLAN), { state: "EXECUTED", attempt: "1-0", client_order_id: "x" });
    expect(await orders.claim(request)).toEqual({ kind: "ended" });
    expect(await lastResult()).toMatchObject({ reason: "duplicate_order", class: "operator" });
    expect(await orderHash()).toEqual({ state: "EXECUTED", attempt: "1-0", client_order_id: "x" });
  });
});

describe("the class of an operator's plan", () => {
  const CASES: [what: string, act: (over: Partial<ClaimRequest>) => Promise<unknown>][] = [
    ["executed", async (over) => settled(over, EXECUTED)],
    ["rejected", async (over) => settled(over, { ...NOT_PLACED, outcome: "REJECTED", reason: "not_filled" })],
    ["absent", async (over) => settled(over, NOT_PLACED)],
    ["refused", async (over) => orders.claim(await requestOf({ ...over, refusal: "exit_flat" }))],
    ["queried, then executed", async (over) => held(over)],
    [
      "adopted",
      async (over) => {
        await settled(over, NOT_PLACED);
        return adopted();
      },
    ],
  ];

  async function settled(over: Partial<ClaimRequest>, settlement: typeof EXECUTED): Promise<void> {
    await orders.claim(await requestOf(over));
    await orders.doubt(ORDER, "answer_ambiguous");
    await note(redis, {
      keys: { order: keys.order(PLAN) },
      args: { attempt: ATTEMPT, answer: "absent", elapsed_ms: "0", absence_ms: "1000", pause_ms: "10" },
    });
    await orders.settle(ORDER, settlement, "query");
  }

  async function held(over: Partial<ClaimRequest>): Promise<void> {
    await orders.hold(await requestOf(over));
    await orders.settle(ORDER, EXECUTED, "query");
  }

  const adopted = () =>
    adopt(redis, {
      keys: {
        order: keys.order(PLAN),
        absent: keys.absent(SYMBOL),
        absent_claims: keys.absentClaims,
        plan: keys.plan(PLAN),
        results,
      },
      args: {
        plan_id: PLAN,
        attempt: ATTEMPT,
        detail: "",
        order_id: "1",
        executed_qty: "0.010",
        avg_price: "1",
        steps_results: "[]",
        settled_sec: String(TTL_SEC.order),
      },
    });

  it.each(CASES)(
    "stands in claim and result of an order that is %s, and nothing else changes",
    async (_, act) => {
      await act(EXIT);
      const exit = { claim: await orderHash(), result: await lastResult() };
      expect(exit).toMatchObject({ claim: { class: "operator" }, result: { class: "operator" } });
      const ordinary = await ordinarily(async (over) => {
        await act(over);
        return { claim: await orderHash(), result: await lastResult() };
      });
      expect(ordinary.claim["class"] ?? ordinary.result["class"]).toBeUndefined();
      expect(Object.keys(ordinary.result)).toEqual(namesOf(exit.result));
      expect(Object.keys(ordinary.claim).toSorted()).toEqual(namesOf(exit.claim).toSorted());
    },
  );

  it("is rebuilt with the claim of an order that ended as absent", async () => {
    await settled(EXIT, NOT_PLACED);
    await redis.del(keys.order(PLAN));
    const [status] = await keepAbsent(redis, {
      keys: {
        order: keys.order(PLAN),
        absent: keys.absent(SYMBOL),
        absent_claims: keys.absentClaims,
        symbols: keys.orderSymbols,
      },
      args: { plan_id: PLAN, symbol: SYMBOL, settled_sec: String(TTL_SEC.order) },
    });
    expect([status, (await orderHash())["class"]]).toEqual(["RESTORED", "operator"]);
    await adopted();
    expect(await lastResult()).toMatchObject({ outcome: "EXECUTED", class: "operator" });
  });

  it("is the record's where the entry is not believed and nothing is placed", async () => {
    await spentFor(entryId);
    await redis.hset(keys.plan(PLAN), { class: "operator" });
    const request = await requestOf({ isVerified: false, refusal: "permit_forged" });
    expect(await orders.claim(request)).toEqual({ kind: "ended" });
    expect(await lastResult()).toMatchObject({ reason: "permit_forged", class: "operator" });
  });

  it("is not the record's where an order is sent: it would be charged to nobody", async () => {
    await redis.hset(keys.plan(PLAN), { class: "operator" });
    await settled({}, EXECUTED);
    expect([(await orderHash())["class"], (await lastResult())["class"]]).toEqual([undefined, undefined]);
  });
});

describe("an operator's handover that is lost", () => {
  async function handOver(validForMs: number, exitClass?: ExitClass): Promise<void> {
    const [seconds] = await redis.time();
    const fields = {
      attempt: ATTEMPT,
      attempt_no: "1",
      symbol: SYMBOL,
      step: "CLOSE_BY_OPERATOR",
      valid_until_ms: String(Number(seconds) * 1000 + validForMs),
      entry_id: entryId,
      ...(exitClass && { class: exitClass }),
    };
    await redis.hset(keys.handedOver, PLAN, JSON.stringify(Object.entries(fields).flat()));
  }

  async function end(): Promise<string | undefined> {
    const replicationId = /master_replid:(\w+)/.exec(await redis.info("replication"))?.[1] ?? "";
    const [status] = await lost(redis, {
      keys: {
        order: keys.order(PLAN),
        unsettled: keys.unsettled(SYMBOL),
        plan: keys.plan(PLAN),
        executes,
        results,
        handed_over: keys.handedOver,
      },
      args: {
        plan_id: PLAN,
        group: GROUP,
        margin_ms: "2000",
        settled_sec: String(TTL_SEC.order),
        replication_id: replicationId,
      },
    });
    return status;
  }

  it.each([
    ["operator", 59_000, "EARLY"],
    ["operator", 70_000, "ENDED"],
    [undefined, 25_000, "EARLY"],
    [undefined, 59_000, "ENDED"],
  ] as const)("of class %s that counts for %i ms more: %s", async (exitClass, validForMs, status) => {
    await handOver(validForMs, exitClass);
    expect(await end()).toBe(status);
    // Run twice.
    await unchanged(async () => expect(await end()).toBe(status === "EARLY" ? "EARLY" : "GONE"));
    expect(await resultCount()).toBe(status === "EARLY" ? 0 : 1);
  });

  it("ends with its class in order key and result", async () => {
    await handOver(-10_000, "drill");
    expect(await end()).toBe("ENDED");
    expect(await lastResult()).toMatchObject({ reason: "handover_lost", class: "drill" });
    expect(await orderHash()).toMatchObject({ state: "NOT_PLACED", class: "drill" });
    await ordinarily(async () => {
      await handOver(-10_000);
      await end();
    });
    expect([(await orderHash())["class"], (await lastResult())["class"]]).toEqual([undefined, undefined]);
  });
});
