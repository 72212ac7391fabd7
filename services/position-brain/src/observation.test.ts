import { afterEach, beforeEach, expect, it } from "vitest";
import { type Rig, startRig } from "./rig.fixture.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

it("a refresh of all symbols reads no orders of a flat symbol, until it has a position again", async () => {
  const refresher = rig.refresher(["BTCUSDT"]);
  for (const symbol of ["ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "1000SHIBUSDT"])
    await rig.move(symbol, "0");
  await refresher.all();
  await rig.move("BTCUSDT", "0");
  await refresher.all();
  const before = await rig.requests();
  await refresher.all();
  expect((await rig.requests())["GET /fapi/v1/openOrders"]).toBe(before["GET /fapi/v1/openOrders"]);
  await rig.move("BTCUSDT", "0.040");
  await refresher.all();
  expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.04");
  expect((await rig.requests())["GET /fapi/v1/openOrders"]).toBeGreaterThan(
    before["GET /fapi/v1/openOrders"] ?? 0,
  );
});

it("a symbol that the exchange refuses costs a refresh of all symbols only itself", async () => {
  const refresher = rig.refresher(["BTCUSDT", "ETHUSDT"]);
  await refresher.all();
  const before = await rig.pairs.read("ETHUSDT");
  await rig.fault({ kind: "error", code: -1121, path: "GET /fapi/v1/openOrders", symbol: "BTCUSDT" });
  const failed: (string | undefined)[] = [];
  refresher.on("failed", ({ symbol }) => failed.push(symbol));
  await rig.move("ETHUSDT", "-1.900");
  await refresher.all();
  expect(failed).toEqual(["BTCUSDT"]);
  expect((await rig.pairs.read("ETHUSDT")).version).not.toBe(before.version);
  refresher.stop();
});
