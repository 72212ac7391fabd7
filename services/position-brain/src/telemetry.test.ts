import { EventEmitter } from "node:events";
import { resultEntry } from "@quantum/contract";
import type { IssuerHandlers } from "@quantum/issuer";
import type { Stages } from "@quantum/service-kit";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { keys, type Rig, startRig } from "./rig.fixture.ts";
import { observe } from "./telemetry.ts";

/** What telemetry sees of a replica that does not book. */
const noBooking = () => ({
  booker: Object.assign(new EventEmitter(), { isBooking: false, account: { readAtMs: 0 } }) as never,
  lease: new EventEmitter() as never,
});

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

it("tells dust, and warns of it once, until the symbol's plans are answered otherwise", async () => {
  const registry = new Registry();
  const handlers = new EventEmitter() as IssuerHandlers;
  const idle = () => new EventEmitter() as never;
  const levels: string[] = [];
  const at = (level: string) => () => void levels.push(level);
  const rules = await rig.exchange.rules();
  observe({
    handlers,
    refresh: idle(),
    ...noBooking(),
    operator: idle(),
    stages: idle(),
    pairs: rig.pairs,
    closes: {
      wantedSinceMs: async (symbol) => (symbol === "BTCUSDT" ? rig.pairs.now(symbol) - 90_000 : undefined),
    },
    rulesOf: (symbol) => {
      const listed = rules.get(symbol);
      return listed && { ...listed, minQty: symbol === "ETHUSDT" ? "2" : listed.minQty };
    },
    allowlist: new Set(["BTCUSDT", "ETHUSDT"]),
    registry,
    log: { info: at("info"), warn: at("warn"), debug: at("debug") } as never,
  });
  await rig.refresher().all();
  const metrics = await registry.metrics();
  expect(metrics).toContain('p33_position_dust{symbol="BTCUSDT"} 0');
  expect(metrics).toContain('p33_position_dust{symbol="ETHUSDT"} 1');
  expect(metrics).toMatch(/quantum_close_unfulfilled_seconds\{symbol="BTCUSDT"\} 9\d/);
  expect(metrics).toContain('quantum_close_unfulfilled_seconds{symbol="ETHUSDT"} 0');

  const answer = (reason: string) =>
    handlers.emit("answered", {
      plan: { plan_id: "0123456789abcdef", symbol: "ETHUSDT" },
      decision: { verdict: "denied", reason, context: {} },
      issued: { kind: "denied", reason },
      tookMs: 1,
    } as never);
  for (const reason of ["dust", "dust", "no_position", "dust"]) answer(reason);
  expect(levels).toEqual(["warn", "info", "debug", "info", "warn", "info"]);
});

it("reads each pair once a scrape, and forgets the values of one that is gone", async () => {
  const registry = new Registry();
  const read = vi.fn((symbol: string) => rig.pairs.read(symbol));
  const idle = () => new EventEmitter() as never;
  observe({
    handlers: idle(),
    refresh: idle(),
    ...noBooking(),
    operator: idle(),
    stages: idle(),
    pairs: { ...rig.pairs, read },
    closes: { wantedSinceMs: async () => undefined },
    rulesOf: () => undefined,
    allowlist: new Set(["BTCUSDT", "ETHUSDT"]),
    registry,
    log: idle(),
  });
  await rig.refresher().all();

  const metrics = await registry.metrics();
  expect(metrics).toContain('p33_exchange_position_amt{symbol="BTCUSDT"} 0.062');
  expect(metrics).toContain('p33_ledger_position_amt{symbol="ETHUSDT"} -1.85');
  expect(read.mock.calls).toEqual([["BTCUSDT"], ["ETHUSDT"]]);

  await rig.redis.del(keys.snapshot("BTCUSDT"), keys.ledger("BTCUSDT"));
  const after = await registry.metrics();
  expect(after).toContain('p33_snapshot_age_seconds{symbol="BTCUSDT"} +Inf');
  expect(after).not.toMatch(/(position_amt|disagreement_seconds){symbol="BTCUSDT"}/);
  expect(after).toContain('p33_exchange_position_amt{symbol="ETHUSDT"} -1.85');
});

it("times the books of what was executed, once, from its result", () => {
  const handlers = new EventEmitter() as IssuerHandlers;
  const idle = () => new EventEmitter() as never;
  const passed = vi.fn<Stages["passed"]>();
  observe({
    handlers,
    refresh: idle(),
    ...noBooking(),
    operator: idle(),
    stages: { passed, ended: () => undefined },
    pairs: rig.pairs,
    closes: { wantedSinceMs: async () => undefined },
    rulesOf: () => undefined,
    allowlist: new Set(["BTCUSDT"]),
    registry: new Registry(),
    log: { debug: () => undefined } as never,
  });
  const fields = {
    ...{ plan_id: "0123456789abcdef", symbol: "BTCUSDT", decision: "EXECUTE", executed: "True" },
    ...{ attempt: "1795000000000-0", outcome: "EXECUTED", settled_at_ms: "1795000000090" },
  };
  const settled = (over: Record<string, string>, before: boolean) =>
    handlers.emit("settled", { result: resultEntry.parse({ ...fields, ...over }), before, tookMs: 1 });
  settled({}, false);
  settled({}, true);
  settled({ executed: "False", outcome: "REJECTED" }, false);
  settled({ attempt: "" }, false);
  expect(passed.mock.calls).toMatchObject([
    [{ planId: fields.plan_id, attempt: fields.attempt, stage: "ledger", fromMs: 1_795_000_000_090 }],
  ]);
});
