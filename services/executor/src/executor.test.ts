/** The whole executor in this process, with a real Redis and the simulated exchange over HTTP. */
import type { Fault } from "@quantum/exchange-sim";
import { patienceMs } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

/** What is left of an entry or a permit: its plan is claimed within it, however many run beside it. */
const LEFT_MS = patienceMs(1_300);
const TIMEOUT_MS = LEFT_MS + 200;
const RECV_WINDOW_MS = 2 * LEFT_MS;

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor({ timeoutMs: TIMEOUT_MS, recvWindowMs: RECV_WINDOW_MS });
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

/** Publishes the entry, waits until it has ended, and checks what must always hold. */
async function run(entry: Spent, outcome: string, reason: string) {
  const ended = executor.ended(entry);
  const entryId = await rig.publish(entry);
  await ended;
  return rig.expectEnded(entry, entryId, outcome, reason);
}

describe("an execute entry", () => {
  it.concurrent("becomes one reduce-only order and one result in the wire's form", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol(), safe_qty: "0.0465" });
    const result = await run(entry, "EXECUTED", "");
    const [order, ...more] = await rig.ordersOf(entry);
    expect(more).toEqual([]);
    expect(order).toMatchObject({ side: "SELL", origQty: "0.046", reduceOnly: true, status: "FILLED" });
    expect(result).toMatchObject({
      order_id: order?.orderId,
      executed_qty: "0.046",
      avg_price: order?.avgPrice,
    });
    expect(result?.["steps_results"]).toBe(
      `[{"step": "CLOSE_PARTIAL_75", "status": "success", "details": "Order ${order?.orderId}: SELL 0.046 @ MARKET ` +
        `(reduceOnly)", "order_id": "${order?.orderId}", "side": "SELL", "quantity": "0.046", "executed_qty": "0.046", ` +
        `"reduce_only": true}]`,
    );
  });

  it.concurrent("closes what one order may carry, and says so", async () => {
    const amounts = { position_amt: "100000000.0", safe_qty: "100000000.0", close_pct: "100.0" };
    const entry = await rig.spend({ symbol: rig.freshSymbol(), step: "CLOSE_FULL", ...amounts });
    const result = await run(entry, "EXECUTED", "");
    expect(result).toMatchObject({ executed_qty: "1.000", capped_by_venue: "True" });
  });

  it.concurrent("is sent inside the window that was recorded, which ends by valid_until (I6)", async () => {
    const symbol = rig.freshSymbol();
    const entry = await rig.spend({ symbol });
    entry.valid_until_ms = String((await rig.redisMs()) + LEFT_MS);
    await run(entry, "EXECUTED", "");
    const [order] = await rig.ordersOf(entry);
    const claim = await rig.redis.hgetall(rig.keys.order(entry.plan_id));
    expect(order?.timestampMs).toBeLessThanOrEqual(Number(claim["venue_ms"]));
    expect(order?.recvWindowMs).toBeLessThanOrEqual(LEFT_MS);
    expect(Number(claim["window_end_ms"])).toBe(Number(claim["venue_ms"]) + (order?.recvWindowMs ?? 0));
  });

  it.concurrent("is sent inside what the issuers signed, however long the entry says", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() }, LEFT_MS);
    entry.valid_until_ms = String((await rig.redisMs()) + 25_000);
    await run(entry, "EXECUTED", "");
    const [order] = await rig.ordersOf(entry);
    expect(order?.recvWindowMs).toBeLessThanOrEqual(LEFT_MS);
  });

  it.concurrent.each<[string, Partial<Spent>]>([
    ["execute_expired", { valid_until_ms: "1" }],
    ["quantity_below_minimum", { safe_qty: "0.0019" }],
    ["symbol_unknown", { symbol: "NOSUCHUSDT" }],
  ])("ends as %s without an order", async (reason, over) => {
    const entry = await rig.spend({ symbol: rig.freshSymbol(), ...over });
    await run(entry, "NOT_PLACED", reason);
    expect(await rig.ordersOf(entry)).toEqual([]);
  });

  it.concurrent.each<[string, Record<string, string>, RegExp]>([
    ["cannot be read", { plan_id: "nonsense" }, /plan_id: 16 lower-case hex digits/],
    ["belongs to another attempt than its permits", { attempt: "1-1" }, /^permit_of_another_plan: /],
  ])("that %s goes to the dead-letter stream", async (_, over, why) => {
    const entry: Spent = { ...(await rig.spend({ symbol: rig.freshSymbol() })), ...over };
    const dead = new Promise<string>((resolve) =>
      executor.consumer.on("deadLettered", ({ entry: letter, reason }) => {
        if (letter.fields["symbol"] === entry.symbol) resolve(reason);
      }),
    );
    await rig.publish(entry);
    expect(await dead).toMatch(why);
    expect(await rig.results(entry.plan_id)).toEqual([]);
  });

  const flaws: [string, string, Record<string, string>][] = [
    ["permit_of_another_plan", "says another share than was signed", { close_pct: "100.0" }],
    ["permit_of_another_plan", "says another step", { step: "CLOSE_FULL" }],
    ["permit_of_another_plan", "is of another mode", { mode: "testnet" }],
    ["permit_of_another_plan", "names another symbol", { symbol: "STRAYUSDT" }],
    ["permit_unsigned", "is not signed", { signed: "" }],
    ["permit_forged", "is signed by nobody", { signed: "v=1" }],
  ];
  it.concurrent.each(flaws)("ends as %s without an order if it %s", async (reason, _, over) => {
    const entry: Spent = { ...(await rig.spend({ symbol: rig.freshSymbol() })), ...over };
    await run(entry, "NOT_PLACED", reason);
    expect(await rig.ordersOf(entry)).toEqual([]);
  });

  it.concurrent.each([...flaws, ["permits_not_spent", "is a copy", {}] as const])(
    "that the permits were not spent for changes nothing: %s, if it %s",
    async (reason, _, over) => {
      const entry = await rig.spend({ symbol: rig.freshSymbol() });
      const entryId = await run(entry, "EXECUTED", "").then(() => rig.entryIdOf(entry));
      const letters = Promise.withResolvers<string>();
      executor.consumer.on("deadLettered", ({ entry: letter, reason: why }) => {
        if (letter.fields["plan_id"] === entry.plan_id) letters.resolve(why);
      });
      await rig.redis.xadd(rig.keys.streams.execute, "*", ...Object.entries({ ...entry, ...over }).flat());
      expect(await letters.promise).toMatch(new RegExp(`^${reason}`));
      expect(await rig.redis.smembers(rig.keys.orderSymbols)).not.toContain("STRAYUSDT");
      await rig.expectEnded(entry, entryId, "EXECUTED", "");
      expect(await rig.ordersOf(entry)).toHaveLength(1);
    },
  );

  it.concurrent("is ordered as it was signed, whatever else it says", async () => {
    const signed = await rig.spend({ symbol: rig.freshSymbol(), safe_qty: "0.01" });
    const entry = { ...signed, safe_qty: "0.9", position_amt: "-1.0" };
    await run(entry, "EXECUTED", "");
    expect(await rig.ordersOf(entry)).toMatchObject([{ side: "SELL", origQty: "0.010" }]);
  });
});

describe("the answer to an order", () => {
  const executed: Partial<Fault>[] = [
    { kind: "503_after" },
    { kind: "-1007" },
    { kind: "timeout_after" },
    { kind: "reset" },
    { kind: "empty_body" },
    { kind: "wrong_body" },
    { kind: "late_ack", ms: 300 },
  ];
  it.concurrent.each(executed)("$kind: one order, EXECUTED, sent once (I1)", async (fault) => {
    const symbol = rig.freshSymbol();
    await rig.fault({ ...fault, symbol });
    const entry = await rig.spend({ symbol });
    const doubted = executor.next("doubted", entry.plan_id);
    const result = await run(entry, "EXECUTED", "");
    const orders = await rig.ordersOf(entry);
    expect(orders).toMatchObject([{ status: "FILLED", executedQty: "0.010" }]);
    expect(result).toMatchObject({ order_id: orders[0]?.orderId, executed_qty: "0.010" });
    await doubted;
  });

  it.concurrent("partial_fill: EXECUTED with what was filled", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "partial_fill", symbol });
    const result = await run(await rig.spend({ symbol }), "EXECUTED", "");
    expect(result).toMatchObject({ executed_qty: "0.005", detail: "EXPIRED" });
  });

  const absent: Partial<Fault>[] = [
    { kind: "503_before" },
    { kind: "-1007_not_executed" },
    { kind: "timeout_before" },
    { kind: "error", code: -4116 },
  ];
  it.concurrent.each(absent)("$kind: no order, NOT_PLACED by evidence after the window", async (fault) => {
    const symbol = rig.freshSymbol();
    await rig.fault({ ...fault, symbol });
    const entry = await rig.spend({ symbol });
    await run(entry, "NOT_PLACED", "not_placed_by_evidence");
    expect(await rig.ordersOf(entry)).toEqual([]);
    const claim = await rig.redis.hgetall(rig.keys.order(entry.plan_id));
    expect(Number(claim["settled_at_ms"])).toBeGreaterThan(Number(claim["window_end_ms"]));
  });

  it.concurrent.each([-1021, -5028])(
    "error %i: NOT_PLACED, as it came too late to be executed",
    async (code) => {
      const symbol = rig.freshSymbol();
      await rig.fault({ kind: "error", code, symbol });
      const entry = await rig.spend({ symbol });
      expect((await run(entry, "NOT_PLACED", "execute_expired"))?.["detail"]).toContain(String(code));
      expect(await rig.ordersOf(entry)).toEqual([]);
    },
  );

  it.concurrent("503_failed: NOT_PLACED at once, as the venue says that it failed", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "503_failed", symbol });
    const entry = await rig.spend({ symbol });
    expect((await run(entry, "NOT_PLACED", "exchange_unavailable"))?.["detail"]).toContain("Internal error");
    expect(await rig.ordersOf(entry)).toEqual([]);
  });

  it.concurrent.each([
    [-2022, "rejected_by_exchange"],
    [-4131, "rejected_by_exchange"],
    [-2019, "rejected_for_account"],
    [-1111, "rejected_by_rules"],
  ])("error %i: REJECTED in the exchange's words, %s", async (code, reason) => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "error", code, symbol });
    const result = await run(await rig.spend({ symbol }), "REJECTED", reason);
    expect(result?.["detail"]).toContain(String(code));
    expect(result?.["steps_results"]).toContain('"status": "failed"');
  });

  it.concurrent("a query that fails proves nothing", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "timeout_after", symbol });
    for (const kind of ["503_before", "empty_body", "error"] as const) {
      await rig.fault({ kind, code: -1001, path: "GET /fapi/v1/order", symbol });
    }
    const entry = await rig.spend({ symbol });
    // The window ends before the request times out, so every query is made when its answer counts.
    entry.valid_until_ms = String((await rig.redisMs()) + LEFT_MS);
    await run(entry, "EXECUTED", "");
    expect(await rig.ordersOf(entry)).toHaveLength(1);
  });
});
