import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DEFAULT_MARKET } from "./market.ts";
import { openState } from "./state.ts";
import { SimVenue } from "./venue.ts";

const SYMBOLS = new Set(DEFAULT_MARKET.map(({ symbol }) => symbol));
const MANY = 25_000;
const MB = 1024 * 1024;

it("a state file does not grow for ever, and keeps the newest orders and trades", async () => {
  const folder = await mkdtemp(join(tmpdir(), "exchange-sim-"));
  try {
    const file = join(folder, "account.jsonl");
    const account = new SimVenue(DEFAULT_MARKET, 1, false, Date.now);
    const state = openState(file, SYMBOLS);
    state.follow(account);
    let largest = 0;
    for (let i = 0; i < MANY; i += 1) {
      account.setPosition("BTCUSDT", i % 2 === 0 ? "0.05" : "0.06", "other");
      if (i % 500 === 0) largest = Math.max(largest, (await stat(file)).size);
    }
    state.close();
    expect(largest).toBeLessThan(20 * MB);
    const found = openState(file, SYMBOLS).accounts?.get("BTCUSDT");
    const { orders, trades } = account.account("BTCUSDT");
    expect(orders.slice(-10_000)).toEqual(found?.orders.slice(-10_000));
    expect(trades.slice(-10_000)).toEqual(found?.trades.slice(-10_000));
    expect(found?.position).toEqual(account.account("BTCUSDT").savedPosition());
  } finally {
    await rm(folder, { recursive: true });
  }
});
