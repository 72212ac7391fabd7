/** Drills, and exits that an executor does not send because of what it knows, or does not know. */
import { exitReport } from "@quantum/contract";
import { patienceMs } from "@quantum/harness";
import { IssuerKeys } from "@quantum/signing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type ExitRig, startExitRig } from "./exit.fixture.ts";

type Executor = Awaited<ReturnType<ExitRig["executor"]>>;

const PATIENCE_MS = patienceMs(5_000);

let rig: ExitRig;
let executor: Executor | undefined;

beforeAll(async () => {
  rig = await startExitRig();
});
afterEach(async () => {
  await executor?.stop();
  executor = undefined;
});
afterAll(() => rig.stop());

async function start(options: Parameters<ExitRig["executorWithOperators"]>[0] = {}): Promise<Executor> {
  executor = await rig.executorWithOperators(options);
  return executor;
}

async function reportOf(planId: string) {
  const text = await rig.redis.hget(rig.keys.plan(planId), "exit_report");
  return exitReport.parse(JSON.parse(text ?? "null"));
}

const uptimeSec = async () => Number(/^uptime_in_seconds:(\d+)/m.exec(await rig.redis.info("server"))?.[1]);

const orderRequests = async () =>
  (await rig.requests("POST /fapi/v1/order")) +
  (await rig.requests("DELETE /fapi/v1/order")) +
  (await rig.requests("DELETE /fapi/v1/algoOrder"));

describe("a drill", () => {
  it("reports what an exit would cancel and send, and does neither", async () => {
    const running = await start();
    const [large, dusty, guarded] = [rig.freshSymbol(), rig.freshSymbol(), rig.freshSymbol()];
    await rig.movePosition(large, "-25000.001");
    await rig.movePosition(dusty, "0.001");
    await rig.rest({ symbol: guarded, type: "LIMIT", side: "BUY", quantity: "0.5" });
    await rig.rest({ symbol: guarded, type: "STOP_MARKET", side: "SELL" });
    const before = await orderRequests();
    const drill = await rig.drill();
    const { result } = await rig.run(running, drill, "NOT_PLACED", "exit_drill");
    expect(result).toMatchObject({ class: "drill" });
    const { positions, cancels, hindrances } = await reportOf(drill.plan_id);
    const of = (symbol: string) => positions.find((position) => position.symbol === symbol);
    expect(of(large)).toMatchObject({ side: "BUY", steps: ["10000", "10000", "5000.001"], dust: "" });
    expect(of(dusty)).toMatchObject({ side: "SELL", steps: [], dust: "0.001" });
    expect(of(guarded)).toMatchObject({ side: "SELL", steps: ["1"], dust: "", unreadable: false });
    expect(cancels).toHaveLength(2);
    expect(cancels).toContainEqual(expect.objectContaining({ kind: "order", type: "LIMIT", reduces: false }));
    expect(cancels).toContainEqual(
      expect.objectContaining({ kind: "algo", type: "STOP_MARKET", reduces: true }),
    );
    expect(hindrances).toEqual([
      `${dusty}: 0.001 is less than the smallest order of 0.002, and would be left`,
    ]);
    expect(await orderRequests()).toBe(before);
    expect(await rig.redis.smembers(rig.keys.orderSymbols)).not.toContain("ACCOUNT");
    const state = await rig.redis.hgetall(rig.keys.exit);
    expect(state).toMatchObject({ drilled_by: "alice" });
    expect(Math.abs(Number(state["drilled_at_ms"]) - (await rig.redisMs()))).toBeLessThan(5_000);
  });

  it("that cannot read the account says so, and does not count", async () => {
    const running = await start();
    await rig.redis.del(rig.keys.exit);
    await rig.fault({ kind: "503_before", path: "GET /fapi/v3/positionRisk" });
    const drill = await rig.drill("bob");
    await rig.run(running, drill, "NOT_PLACED", "exit_drill");
    const { complete, positions, hindrances } = await reportOf(drill.plan_id);
    expect({ complete, positions }).toEqual({ complete: false, positions: [] });
    expect(hindrances).toEqual([expect.stringMatching(/^the positions cannot be read: .*503/)]);
    expect(await rig.redis.hexists(rig.keys.exit, "drilled_at_ms")).toBe(0);
  });

  it("says that one key is not enough", async () => {
    const alone = new Map([...rig.operatorKeys.listed].slice(0, 1));
    const keys = IssuerKeys.of(alone) as IssuerKeys;
    const running = await start({ operatorKeys: () => keys });
    const drill = await rig.drill();
    await rig.run(running, drill, "NOT_PLACED", "exit_drill");
    expect((await reportOf(drill.plan_id)).hindrances[0]).toBe(
      "only one operator's key is enrolled: without its owner nobody can exit",
    );
  });

  it("of a stranger reads nothing", async () => {
    const running = await start();
    const before = await rig.requests("GET /fapi/v3/positionRisk");
    const drill = await rig.drill("stranger");
    const { record } = await rig.run(running, drill, "NOT_PLACED", "permit_forged");
    expect(record["exit_report"]).toBeUndefined();
    expect(await rig.requests("GET /fapi/v3/positionRisk")).toBe(before);
  });
});

describe("an entry that somebody repeats while its signature is valid", () => {
  it("reads nothing again, if it is a drill's: the venue bans who asks too often", async () => {
    const running = await start();
    const drill = await rig.drill();
    await rig.run(running, drill, "NOT_PLACED", "exit_drill");
    const before = await rig.requests("GET /fapi/v3/positionRisk");
    expect(await repeated(running, drill)).toBe("permits_not_spent");
    expect(await rig.requests("GET /fapi/v3/positionRisk")).toBe(before);
  });

  it("cancels nothing, though its plan was never sent", async () => {
    const running = await start();
    const symbol = rig.freshSymbol();
    await rig.movePosition(symbol, "0");
    const exit = await rig.exit({ symbol });
    await rig.run(running, exit, "NOT_PLACED", "exit_flat");
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    expect(await repeated(running, exit)).toBe("permits_not_spent");
    expect(await rig.resting(symbol)).toEqual(["order LIMIT BUY"]);
  });

  /** @returns why the copy is not obeyed */
  async function repeated(
    running: Executor,
    { plan_id: planId, entryId }: { plan_id: string; entryId: string },
  ) {
    const dead = Promise.withResolvers<string>();
    running.consumer.on("deadLettered", ({ entry, reason }) => {
      if (entry.fields["plan_id"] === planId) dead.resolve(reason);
    });
    const [entry] = await rig.redis.xrange(rig.keys.streams.execute, entryId, entryId);
    await rig.redis.xadd(rig.keys.streams.execute, "*", ...(entry?.[1] ?? []));
    return dead.promise;
  }
});

describe("an exit", () => {
  it("is not obeyed where no operator is enrolled, and says so despite halts", async () => {
    const running = await start({ operatorKeys: () => IssuerKeys.NONE });
    await rig.redis.set(rig.keys.killSwitch, "1");
    const exit = await rig.exit({ symbol: rig.freshSymbol() });
    await rig.run(running, exit, "NOT_PLACED", "exit_not_enrolled");
    await rig.redis.del(rig.keys.killSwitch);
    expect(await rig.ordersOf(exit)).toEqual([]);
  });

  it("of a key that was retired while the executor runs is not obeyed", async () => {
    let keys = rig.operatorKeys;
    const running = await start({ operatorKeys: () => keys });
    const symbol = rig.freshSymbol();
    await rig.run(running, await rig.exit({ symbol, safe_qty: "0.1" }), "EXECUTED", "");
    keys = IssuerKeys.of(new Map([...keys.listed].slice(1))) as IssuerKeys;
    await rig.run(running, await rig.exit({ symbol, safe_qty: "0.1" }), "NOT_PLACED", "permit_forged");
    await rig.run(running, await rig.exit({ symbol, safe_qty: "0.1" }, "bob"), "EXECUTED", "");
    expect(await rig.position(symbol)).toBe(0.8);
  });

  it("that is older than the ownership is queried, not sent", async () => {
    const running = await start({ ownerSinceMs: Number.MAX_SAFE_INTEGER });
    const exit = await rig.exit({ symbol: rig.freshSymbol() });
    const { plan_id: planId } = exit;
    const first = Promise.race([running.next("doubted", planId), running.next("claimed", planId)]);
    await rig.open(exit);
    expect(await first).toMatchObject({ doubt: "claimed_before" });
    expect(await rig.ordersOf(exit)).toEqual([]);
  });

  it("that nobody took in time ends as expired, and touches nothing", async () => {
    const symbol = rig.freshSymbol();
    await rig.rest({ symbol, type: "LIMIT", side: "BUY", quantity: "0.5" });
    // An executor that starts holds what is older than Redis, whose age it knows in whole seconds.
    await vi.waitUntil(async () => (await uptimeSec()) > 1, { timeout: PATIENCE_MS });
    const untilMs = (await rig.redisMs()) + 1_500;
    const exit = await rig.exit({ symbol, issued_ms: String(untilMs - 60_000), until_ms: String(untilMs) });
    await rig.open(exit);
    await vi.waitUntil(async () => (await rig.redisMs()) > untilMs, { timeout: PATIENCE_MS });
    const running = await start();
    await vi.waitUntil(async () => (await rig.results(exit.plan_id)).length > 0, { timeout: PATIENCE_MS });
    await running.consumer.stop();
    await rig.expectEnded(exit, exit.entryId, "NOT_PLACED", "execute_expired");
    expect(await rig.resting(symbol)).toEqual(["order LIMIT BUY"]);
  });

  it("during a ban says until when, and sends nothing", async () => {
    const running = await start();
    await rig.ban(60_000);
    for (const _ of ["finds out", "knows"]) {
      const exit = await rig.exit({ symbol: rig.freshSymbol() });
      const { result } = await rig.run(running, exit, "NOT_PLACED", "rate_limited");
      expect(result["detail"]).toMatch(/^the exchange wants a pause until 20\S+Z \(\d+ s\): /);
    }
    const drill = await rig.drill();
    await rig.run(running, drill, "NOT_PLACED", "exit_drill");
    const { complete, hindrances } = await reportOf(drill.plan_id);
    expect({ complete, hindrances }).toEqual({
      complete: false,
      hindrances: [expect.stringMatching(/^the exchange wants a pause until /)],
    });
    await rig.ban(0);
  });
});
