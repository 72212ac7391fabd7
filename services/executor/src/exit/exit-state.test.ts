/** What `quantum:exit` and a record tell operators. */
import { createKeys } from "@quantum/contract";
import { createKeyPair, IssuerKeys, keyIdOf } from "@quantum/signing";
import { useRedis } from "@quantum/harness/vitest";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import { createEvents } from "../events.ts";
import { ExitState, readLastDrill } from "./exit-state.ts";
import { observeExits } from "./telemetry.ts";
import { createTold } from "./told.ts";

const keys = createKeys();
const { redis } = await useRedis();
beforeEach(() => redis.flushall());

function keysOf(...operators: string[]): IssuerKeys {
  const listed = operators.map((operator) => {
    const { publicKey } = createKeyPair();
    return [operator, new Map([[keyIdOf(publicKey), publicKey]])] as const;
  });
  return IssuerKeys.of(new Map(listed)) as IssuerKeys;
}

function stateWith(
  operatorKeys: () => IssuerKeys,
  ownership: { sinceMs: number | undefined } = { sinceMs: 1 },
) {
  const trust = { operatorKeys };
  return new ExitState({
    redis,
    keys,
    trust,
    ownership,
    events: createEvents(),
    now: () => 1_700_000_000_000,
  });
}

describe("the state of the exit", () => {
  it("is written by the owner, and again when the keys change", async () => {
    let enrolled = keysOf("alice");
    const ownership: { sinceMs: number | undefined } = { sinceMs: undefined };
    const state = stateWith(() => enrolled, ownership);
    await state.look();
    expect(await redis.exists(keys.exit)).toBe(0);
    ownership.sinceMs = 1;
    await state.look();
    expect(await redis.hgetall(keys.exit)).toEqual({ keys: "1", at_ms: "1700000000000" });
    await redis.del(keys.exit);
    await state.look();
    expect(await redis.exists(keys.exit)).toBe(0);
    enrolled = keysOf("alice", "bob");
    await state.look();
    expect(await redis.hget(keys.exit, "keys")).toBe("2");
  });

  it("is rebuilt if something else has its key", async () => {
    await redis.lpush(keys.exit, "not ours");
    await stateWith(() => IssuerKeys.NONE).look();
    expect(await redis.hget(keys.exit, "keys")).toBe("0");
  });

  it("keeps the last drill", async () => {
    const state = stateWith(() => keysOf("alice"));
    expect(await readLastDrill(redis, keys)).toBeUndefined();
    await state.drilled("alice");
    await state.look();
    expect(await redis.hgetall(keys.exit)).toMatchObject({ keys: "1", drilled_by: "alice" });
    expect(await readLastDrill(redis, keys)).toBe(1_700_000_000_000);
  });
});

describe("the metrics of exits", () => {
  it("show keys, the last drill and its longest age, orders without drills, and cancellations", async () => {
    const registry = new Registry();
    const events = createEvents();
    const operatorKeys = () => keysOf("alice", "bob");
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
    const lastDrillMs = () => readLastDrill(redis, keys);
    observeExits({ events, lastDrillMs, operatorKeys, drillDays: 30, registry, log });
    await stateWith(operatorKeys).drilled("alice");
    const exit = { planId: "0", symbol: "BTCUSDT", step: "CLOSE_BY_OPERATOR" };
    events.emit("refused", { ...exit, reason: "exit_drill" });
    events.emit("refused", { ...exit, reason: "exit_flat" });
    events.emit("refused", { ...exit, step: "CLOSE_FULL", reason: "execute_expired" });
    events.emit("cancelled", {
      ...exit,
      kind: "algo",
      id: "1",
      type: "STOP_MARKET",
      outcome: "gone",
      why: "",
    });
    const text = await registry.metrics();
    for (const line of [
      "quantum_exit_keys 2",
      "quantum_exit_last_drill_timestamp_seconds 1700000000",
      "quantum_exit_drill_max_age_seconds 2592000",
      'quantum_exit_orders_total{outcome="NOT_PLACED"} 1',
      'quantum_exit_orders_total{outcome="EXECUTED"} 0',
      'quantum_exit_cancels_total{kind="algo",outcome="gone"} 1',
      'quantum_exit_cancels_total{kind="order",outcome="failed"} 0',
    ])
      expect(text).toContain(line);
  });
});

describe("what an exit's record is told", () => {
  const EXIT = { planId: "0123456789abcdef", attempt: "1700000000000-0" };
  const told = createTold({ redis, keys });
  const record = { attempt: EXIT.attempt, state: "PERMITTED" };

  it("TOLD, and the same when it runs twice: the rest of the record is unchanged", async () => {
    await redis.hset(keys.plan(EXIT.planId), record);
    for (const _ of ["once", "twice"]) {
      await told.left(EXIT, "-0.5");
      expect(await redis.hgetall(keys.plan(EXIT.planId))).toEqual({ ...record, exit_left: "-0.5" });
    }
  });

  it("GONE if there is none, or only that of another attempt: nothing is written", async () => {
    await told.left(EXIT, "1");
    expect(await redis.exists(keys.plan(EXIT.planId))).toBe(0);
    await redis.hset(keys.plan(EXIT.planId), { ...record, attempt: "1-1" });
    await told.report(EXIT, { at_ms: 1, complete: true, positions: [], cancels: [], hindrances: [] });
    expect(await redis.hgetall(keys.plan(EXIT.planId))).toEqual({ ...record, attempt: "1-1" });
  });
});
