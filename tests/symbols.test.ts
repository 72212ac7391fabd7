/** Symbols as the venue lists them, in letters of any script, through the whole pipeline. */
import { planId, resultEntry } from "@quantum/contract";
import { DEFAULT_MARKET } from "@quantum/exchange-sim";
import { eventually } from "@quantum/harness";
import { ordersByPlan, type Rig, startRig } from "@quantum/harness/rig";
import { fieldsOf } from "@quantum/streams";
import { afterAll, beforeAll, expect, it } from "vitest";

const SYMBOLS = ["币安人生USDT", "ÄÖÜ_261225", "кириллицаUSDT", "𐐷𐐷USDT"];

let rig: Rig;
beforeAll(async () => {
  const [spec] = DEFAULT_MARKET;
  if (spec === undefined) throw new Error("there is no market");
  rig = await startRig(SYMBOLS.map((symbol) => ({ ...spec, symbol })));
});
afterAll(() => rig.stop());

async function propose(symbol: string): Promise<string> {
  const computedAtUtc = new Date().toISOString().replace("Z", "123");
  const proposal = {
    harvest_action: "PARTIAL_25",
    kill_score: "0.5",
    new_sl_proposed: "None",
    R_net: "4.2",
    computed_at_utc: computedAtUtc,
    last_update_epoch: String(Math.floor(Date.now() / 1000)),
  };
  await rig.client.xadd(rig.keys.streams.proposal, "*", "symbol", symbol, ...Object.entries(proposal).flat());
  return planId({
    ...{ symbol, harvestAction: "PARTIAL_25", killScore: 0.5 },
    ...{ newSlProposed: undefined, computedAtUtc },
  });
}

async function resultOf(planIdOf: string) {
  const entries = (await rig.client.xrange(rig.keys.streams.result, "-", "+")) as [string, string[]][];
  return entries.map(([, flat]) => resultEntry.parse(fieldsOf(flat))).find((one) => one.plan_id === planIdOf);
}

it("are proposed, permitted, ordered and settled byte for byte", async () => {
  const services = ["apply-layer", "governor", "position-brain", "executor"];
  // The first plans of services that have just started, on a busy machine.
  const patient = { APPLY_PERMIT_WAIT_MS: "10000" };
  const [applyLayer] = await Promise.all(
    services.map((name) => rig.start(name, name === "apply-layer" ? patient : {})),
  );
  const plans = await Promise.all(SYMBOLS.map(propose));
  for (const [index, id] of plans.entries()) {
    const symbol = SYMBOLS[index];
    const result = await eventually(() => resultOf(id), 10_000, `a result of ${symbol}`);
    expect(result).toMatchObject({ symbol, executed: true, outcome: "EXECUTED", error: "" });
  }
  const state = await rig.simState();
  expect([...ordersByPlan(state).keys()].toSorted()).toEqual(plans.toSorted());
  const placed = state.orders.filter(({ origin }) => origin === "api");
  expect(new Set(placed.map(({ symbol }) => symbol))).toEqual(new Set(SYMBOLS));
  const metrics = await (await fetch(`${applyLayer?.url}/metrics`)).text();
  for (const symbol of SYMBOLS) expect(metrics).toContain(`symbol="${symbol}"`);
});
