import { EventEmitter } from "node:events";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { keys, type Rig, startRig } from "./rig.fixture.ts";
import { observe } from "./telemetry.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

it("reads each pair once a scrape, and forgets the values of one that is gone", async () => {
  const registry = new Registry();
  const read = vi.fn((symbol: string) => rig.pairs.read(symbol));
  const idle = () => new EventEmitter() as never;
  observe({
    handlers: idle(),
    refresh: idle(),
    operator: idle(),
    pairs: { ...rig.pairs, read },
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
