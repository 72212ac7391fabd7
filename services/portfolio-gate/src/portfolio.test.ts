import { describe, expect, it } from "vitest";
import { isUnknown, portfolioOf, type SymbolHashes } from "./portfolio.ts";

const NOW_MS = 1_769_301_008_977;
const REF = 0.05;
const at = (agoMs: number) => String((NOW_MS - agoMs) / 1000);

const hashes = (symbol: string, changed: Partial<SymbolHashes> = {}): SymbolHashes => ({
  symbol,
  snapshot: { position_amt: "0.062", mark_price: "105000.00", ts_epoch: at(5_000) },
  proposal: { sigma: "0.0113984", last_update_epoch: at(20_000) },
  nowMs: NOW_MS,
  ...changed,
});
const snapshot = (changed: Record<string, string>) => ({
  snapshot: { ...hashes("").snapshot, ...changed },
});
const proposal = (changed: Record<string, string>) => ({
  proposal: { ...hashes("").proposal, ...changed },
});
const FLAT = snapshot({ position_amt: "0.0", mark_price: "" });

describe("the portfolio", () => {
  it("has every symbol's position, and the stress of all together", () => {
    const short = snapshot({ position_amt: "-1.850", mark_price: "3310" });
    const found = portfolioOf([hashes("BTCUSDT"), hashes("ETHUSDT", short)], REF);
    if (isUnknown(found)) throw new Error(found.what);
    expect([...found.positions].map(([symbol, amount]) => [symbol, amount.toFixed()])).toEqual([
      ["BTCUSDT", "0.062"],
      ["ETHUSDT", "-1.85"],
    ]);
    expect(found.grossNotional).toBeCloseTo(6_510 + 6_123.5, 6);
    expect(found.concentration).toBeCloseTo(386.5 / 12_633.5, 9);
  });

  it("has each symbol's snapshot as of its own partition's time", () => {
    const ahead = snapshot({ ts_epoch: at(-60_000) });
    const of = (nowMs: number) =>
      portfolioOf([hashes("BTCUSDT"), hashes("ETHUSDT", { ...ahead, nowMs })], REF);
    expect(of(NOW_MS + 60_000)).toMatchObject({ positions: { size: 2 } });
    expect(of(NOW_MS)).toMatchObject({ flaw: "snapshot_stale", symbol: "ETHUSDT" });
  });

  it("needs neither price nor volatility of a flat symbol", () => {
    const found = portfolioOf([hashes("BTCUSDT", { ...FLAT, proposal: {} })], REF);
    expect(found).toMatchObject({ stress: 0, grossNotional: 0 });
  });

  it.each<[string, Partial<SymbolHashes>, string, string]>([
    ["no snapshot", { snapshot: {} }, "snapshot_missing", "no snapshot"],
    ["a snapshot of the wrong type", { snapshot: undefined }, "snapshot_unreadable", "cannot be read"],
    ["a position that is no number", snapshot({ position_amt: "much" }), "snapshot_unreadable", "malformed"],
    ["a position of nan", snapshot({ position_amt: "nan" }), "snapshot_unreadable", "malformed"],
    ["no time of the snapshot", snapshot({ ts_epoch: "" }), "snapshot_unreadable", "malformed"],
    ["no price", snapshot({ mark_price: "" }), "snapshot_unreadable", "no usable price"],
    ["a price of 0", snapshot({ mark_price: "0" }), "snapshot_unreadable", "no usable price"],
    ["a notional beyond all accounts", snapshot({ mark_price: "1e300" }), "snapshot_unreadable", "price"],
    ["a snapshot of half a minute ago", snapshot({ ts_epoch: at(30_001) }), "snapshot_stale", "30001 ms old"],
    ["a snapshot from the future", snapshot({ ts_epoch: at(-501) }), "snapshot_stale", "-501 ms old"],
    ["no proposal", { proposal: {} }, "sigma_missing", "no proposal"],
    ["a proposal of the wrong type", { proposal: undefined }, "sigma_unreadable", "cannot be read"],
    ["a proposal without sigma", { proposal: { last_update_epoch: at(0) } }, "sigma_unreadable", "above 0"],
    ["sigma None", proposal({ sigma: "None" }), "sigma_unreadable", "above 0"],
    ["sigma nan", proposal({ sigma: "nan" }), "sigma_unreadable", "above 0"],
    ["sigma inf", proposal({ sigma: "inf" }), "sigma_unreadable", "above 0"],
    ["sigma 0", proposal({ sigma: "0.0" }), "sigma_unreadable", "above 0"],
    ["a sigma below 0", proposal({ sigma: "-0.01" }), "sigma_unreadable", "above 0"],
    ["sigma of 5 minutes ago", proposal({ last_update_epoch: at(300_001) }), "sigma_stale", "300001 ms old"],
    ["sigma from the future", proposal({ last_update_epoch: at(-501) }), "sigma_stale", "-501 ms old"],
    ["sigma without a time", proposal({ last_update_epoch: "" }), "sigma_stale", "no time"],
  ])("is not known with %s of one symbol", (_, changed, flaw, what) => {
    expect(portfolioOf([hashes("BTCUSDT"), hashes("ETHUSDT", changed)], REF)).toEqual({
      flaw,
      symbol: "ETHUSDT",
      what: expect.stringContaining(what),
    });
  });
});
