/** An operator's exit of one symbol, under a kill switch and a disarm, with a real Redis and the simulated exchange over HTTP. */
import { patienceMs } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExitRig, startExitRig } from "./exit.fixture.ts";

/** An answer this late still counts, and everything else is done before. */
const SLOW_MS = patienceMs(1_500);

let rig: ExitRig;
let executor: Awaited<ReturnType<ExitRig["executor"]>>;

beforeAll(async () => {
  rig = await startExitRig();
  await rig.redis.mset(rig.keys.killSwitch, "1", rig.keys.disarm, "1");
  executor = await rig.executorWithOperators({ timeoutMs: 2 * SLOW_MS, recvWindowMs: 3 * SLOW_MS });
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

describe("an exit", () => {
  it.concurrent("closes the position under all halts, and its record says that nothing is left", async () => {
    const symbol = rig.freshSymbol();
    const exit = await rig.exit({ symbol });
    const { result, record } = await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toMatchObject([
      { side: "SELL", origQty: "1.000", reduceOnly: true, status: "FILLED" },
    ]);
    expect(result).toMatchObject({ class: "operator", executed_qty: "1.000" });
    expect(Number(record["exit_left"])).toBe(0);
    expect(record["exit_left"]).not.toBe("");
  });

  it.concurrent("closes a short position, and no more than was signed", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "-1.000");
    const exit = await rig.exit({ symbol, side: "BUY", position: "-1.000", safe_qty: "0.4" });
    const { record } = await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toMatchObject([{ side: "BUY", origQty: "0.400" }]);
    expect(Number(record["exit_left"])).toBe(-0.6);
  });

  it.concurrent("closes what the position has when it is sent, not what was signed", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "0.3");
    const exit = await rig.exit({ symbol });
    await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toMatchObject([{ origQty: "0.300" }]);
  });

  it.concurrent("closes as much as the venue takes at once; the rest is left to the next", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "25000.000");
    const exit = await rig.exit({ symbol, position: "25000", safe_qty: "25000" });
    const { result, record } = await rig.run(executor, exit, "EXECUTED", "");
    expect(result).toMatchObject({ executed_qty: "10000.000", capped_by_venue: "True" });
    expect(Number(record["exit_left"])).toBe(15_000);
  });

  it.concurrent("cancels what could open or enlarge the position, and leaves what only reduces it", async () => {
    const symbol = rig.freshSymbol();
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    await rig.rest({ symbol, type: "STOP_MARKET", side: "BUY", quantity: "0.5" });
    await rig.rest({ symbol, type: "LIMIT", side: "SELL", quantity: "0.01", reduceOnly: true });
    await rig.rest({ symbol, type: "STOP_MARKET", side: "SELL" });
    const exit = await rig.exit({ symbol, safe_qty: "0.4" });
    await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.resting(symbol)).toEqual(["algo STOP_MARKET SELL", "order LIMIT SELL"]);
  });

  it.concurrent("reads the position again if an order was filled before it could be cancelled", async () => {
    const symbol = rig.freshSymbol();
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    await rig.fault({ kind: "met_first", path: "DELETE /fapi/v1/order", symbol });
    const exit = await rig.exit({ symbol, safe_qty: "2" });
    await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toMatchObject([{ origQty: "1.500" }]);
    expect(await rig.position(symbol)).toBe(0);
  });

  it.concurrent("goes on if an order cannot be cancelled, and if none can be read", async () => {
    for (const path of ["DELETE /fapi/v1/order", "GET /fapi/v1/openOrders"]) {
      const symbol = rig.freshSymbol();
      await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
      await rig.fault({ kind: "503_before", path, symbol });
      await rig.run(executor, await rig.exit({ symbol }), "EXECUTED", "");
      expect(await rig.resting(symbol)).toEqual(["order LIMIT BUY"]);
    }
  });

  it.concurrent("of a flat position cancels everything that waits, and ends", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "0");
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    await rig.rest({ symbol, type: "STOP_MARKET", side: "SELL" });
    const exit = await rig.exit({ symbol });
    const { record, result } = await rig.run(executor, exit, "NOT_PLACED", "exit_flat");
    expect(result).toMatchObject({ class: "operator", detail: "" });
    expect(Number(record["exit_left"] || NaN)).toBe(0);
    expect(await rig.resting(symbol)).toEqual([]);
  });

  it.concurrent("of a position on the other side changes nothing", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "-0.2");
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    const exit = await rig.exit({ symbol });
    const { record } = await rig.run(executor, exit, "NOT_PLACED", "exit_side_changed");
    expect(Number(record["exit_left"])).toBe(-0.2);
    expect(await rig.resting(symbol)).toEqual(["order LIMIT BUY"]);
    expect(await rig.ordersOf(exit)).toEqual([]);
  });

  it.concurrent("of dust says what is left", async () => {
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "0.001");
    const { result, record } = await rig.run(
      executor,
      await rig.exit({ symbol }),
      "NOT_PLACED",
      "quantity_below_minimum",
    );
    expect(result["detail"]).toBe("0.001 is left, which is less than the smallest order of 0.002");
    expect(Number(record["exit_left"])).toBe(0.001);
  });

  it.concurrent.each([-2022, -4118])(
    "that the venue refuses with %i makes way for the next by cancelling what reduces",
    async (code) => {
      const symbol = rig.freshSymbol();
      await rig.rest({ symbol, type: "LIMIT", side: "SELL", quantity: "1", reduceOnly: true });
      await rig.rest({ symbol, type: "STOP_MARKET", side: "SELL" });
      await rig.fault({ kind: "error", code, symbol });
      await rig.run(executor, await rig.exit({ symbol }), "REJECTED", "rejected_by_exchange");
      await rig.run(executor, await rig.exit({ symbol }), "EXECUTED", "");
      expect(await rig.resting(symbol)).toEqual([]);
      expect(await rig.position(symbol)).toBe(0);
    },
  );

  it.concurrent("that nobody answers is in doubt, is never sent again, and says at its end what is left", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "timeout_after", symbol });
    const exit = await rig.exit({ symbol });
    const { record } = await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toHaveLength(1);
    expect(Number(record["exit_left"] || NaN)).toBe(0);
  });

  it.concurrent("that fills in part says what is left", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "partial_fill", symbol });
    const { record, result } = await rig.run(executor, await rig.exit({ symbol }), "EXECUTED", "");
    expect(result).toMatchObject({ executed_qty: "0.500" });
    expect(Number(record["exit_left"])).toBe(0.5);
  });

  it.concurrent("of another operator at the same time never closes twice", async () => {
    const symbol = rig.freshSymbol();
    const exits = [await rig.exit({ symbol }), await rig.exit({ symbol }, "bob")] as const;
    const ended = exits.map((exit) => executor.ended(exit));
    await Promise.all(exits.map((exit) => rig.open(exit)));
    await Promise.all(ended);
    const results = await Promise.all(exits.map(({ plan_id }) => rig.results(plan_id)));
    expect(new Set(results.map(([result]) => result?.["error"]))).toEqual(new Set(["", "exit_flat"]));
    expect(await rig.position(symbol)).toBe(0);
  });

  it.concurrent("does not wait for a slow symbol", async () => {
    const [slow, fast] = [rig.freshSymbol(), rig.freshSymbol()];
    await rig.fault({ kind: "latency", ms: SLOW_MS, path: "GET /fapi/v3/positionRisk", symbol: slow });
    const [first, second] = [await rig.exit({ symbol: slow }), await rig.exit({ symbol: fast })];
    const order: string[] = [];
    const ended = [first, second].map((exit) => executor.ended(exit).then(() => order.push(exit.symbol)));
    await rig.open(first);
    await rig.open(second);
    await Promise.all(ended);
    expect(order).toEqual([fast, slow]);
  });

  it.concurrent("ends at once if the venue does not say what the position is", async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "503_before", path: "GET /fapi/v3/positionRisk", symbol });
    const exit = await rig.exit({ symbol });
    const { record, result } = await rig.run(executor, exit, "NOT_PLACED", "exchange_unavailable");
    expect(result["detail"]).toContain("503");
    expect(record["exit_left"]).toBe("");
    expect(await rig.ordersOf(exit)).toEqual([]);
  });
});

describe("an exit is not sent", () => {
  it.concurrent.each<[string, string, object, "alice" | "stranger"]>([
    ["permit_forged", "by a key that is not enrolled", {}, "stranger"],
    ["permit_of_another_plan", "for another account", { account: "other" }, "alice"],
    ["permit_of_another_plan", "for another venue", { venue: "testnet.binancefuture.com" }, "alice"],
  ])("%s: if it is signed %s, and the result says so despite halts", async (reason, _, over, by) => {
    const exit = await rig.exit({ symbol: rig.freshSymbol(), ...over }, by);
    await rig.run(executor, exit, "NOT_PLACED", reason);
    expect(await rig.ordersOf(exit)).toEqual([]);
  });

  it.concurrent("for more than was signed, whatever the entry says", async () => {
    const symbol = rig.freshSymbol();
    const exit = { ...(await rig.exit({ symbol, safe_qty: "0.1" })), safe_qty: "1" };
    await rig.run(executor, exit, "EXECUTED", "");
    expect(await rig.ordersOf(exit)).toMatchObject([{ origQty: "0.100" }]);
  });

  it.concurrent("later than was signed, whatever the entry says", async () => {
    const nowMs = await rig.redisMs();
    // By more than the executor's error in judging Redis's clock.
    const over = { issued_ms: String(nowMs - 30_000), until_ms: String(nowMs - 1_000) };
    const signed = await rig.exit({ symbol: rig.freshSymbol(), ...over });
    const exit = { ...signed, valid_until_ms: String(nowMs + 30_000) };
    await rig.run(executor, exit, "NOT_PLACED", "permit_expired");
    expect(await rig.ordersOf(exit)).toEqual([]);
  });

  it.concurrent("a second time, if its entry is repeated", async () => {
    const symbol = rig.freshSymbol();
    const exit = await rig.exit({ symbol, safe_qty: "0.1" });
    await rig.run(executor, exit, "EXECUTED", "");
    const dead = Promise.withResolvers<string>();
    executor.consumer.on("deadLettered", ({ entry, reason }) => {
      if (entry.fields["plan_id"] === exit.plan_id) dead.resolve(reason);
    });
    const [entry] = await rig.redis.xrange(rig.keys.streams.execute, exit.entryId, exit.entryId);
    await rig.redis.xadd(rig.keys.streams.execute, "*", ...(entry?.[1] ?? []));
    expect(await dead.promise).toBe("permits_not_spent");
    expect(await rig.ordersOf(exit)).toHaveLength(1);
  });

  it.concurrent("though Redis has lost all of it: the journal knows its plan", async () => {
    const symbol = rig.freshSymbol();
    const exit = await rig.exit({ symbol, safe_qty: "0.1" });
    await rig.run(executor, exit, "EXECUTED", "");
    const { keys } = rig;
    await rig.redis.del(keys.order(exit.plan_id), keys.plan(exit.plan_id), keys.spent(exit.plan_id));
    const held = executor.next("doubted", exit.plan_id);
    await rig.open(exit);
    expect(await held).toMatchObject({ doubt: "claimed_before" });
    expect(await rig.ordersOf(exit)).toHaveLength(1);
  });
});
