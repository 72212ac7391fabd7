/** Processes that share a budget, at a simulated exchange with limits, beside a stranger at the same address. */
import { createKeys } from "@quantum/contract";
import { Budget, createBinanceExchange, type Exchange } from "@quantum/exchange";
import { createExchangeSim, type ExchangeSim } from "@quantum/exchange-sim";
import { useRedis } from "@quantum/harness/vitest";
import { shareExchangeBudget } from "@quantum/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const WEIGHT_PER_MINUTE = 600;
const WORKERS = 8;
/** The middle of a minute and of its 10 s, at which the exchange's clock stands still. */
const VENUE_MS = 1_795_692_025_000;

const keys = createKeys();
const { redis } = await useRedis();
const stops: (() => void)[] = [];
let sim: ExchangeSim;
let exchanges: Exchange[];

beforeAll(async () => {
  const limits = {
    weightPerMinute: WEIGHT_PER_MINUTE,
    ordersPerMinute: 1_200,
    ordersPer10Sec: 300,
    refusalsBeforeBan: 10,
    banMs: 120_000,
  };
  sim = createExchangeSim({ limits, now: () => VENUE_MS, apiKey: "key", apiSecret: "secret" });
  await sim.listen();
  const client = {
    baseUrl: sim.url,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  };
  exchanges = await Promise.all(
    ["first", "second"].map(async (instance) => {
      const budget = new Budget();
      const log = { error: () => undefined };
      const shared = { budget, redis, keys, egress: "default", account: "main", instance, log };
      stops.push(await shareExchangeBudget(shared));
      const exchange = createBinanceExchange({ ...client, budget });
      await exchange.serverTime();
      await exchange.rules();
      return exchange;
    }),
  );
});
afterAll(async () => {
  for (const stop of stops) stop();
  await sim.close();
});

async function seen(): Promise<{ weightPerMinuteMax: number; refused: number; banned: number }> {
  const state = await (await fetch(`${sim.url}/sim/state`)).json();
  return (state as { limits: Awaited<ReturnType<typeof seen>> }).limits;
}

/** Reads as fast as it can, until it has not been let for a while. */
async function readEagerly(exchange: Exchange): Promise<void> {
  for (let held = 0; held < 20;) {
    const answer = await exchange.positions("BTCUSDT").catch((error: Error) => error);
    if (!(answer instanceof Error)) continue;
    expect(answer.message).toMatch(/^not asked: \d+ of the exchange's limit weight_1m of 600 are used/);
    held += 1;
    await redis.ping();
  }
}

describe("processes that read as fast as they can", () => {
  it("never get a 429, and leave the rest of the limit to what is vital", async () => {
    for (let n = 0; n < 150; n++) await fetch(`${sim.url}/fapi/v1/time`);
    const workers = Array.from({ length: WORKERS }, (_, index) =>
      readEagerly((exchanges[index % 2] as Exchange).as("refresh")),
    );
    await Promise.all(workers);
    const { weightPerMinuteMax, refused } = await seen();
    expect(refused).toBe(0);
    expect(weightPerMinuteMax).toBeGreaterThan(0.65 * WEIGHT_PER_MINUTE);
    // Both may spend at once what each of them knows to be free.
    expect(weightPerMinuteMax).toBeLessThan(0.85 * WEIGHT_PER_MINUTE);
    for (const exchange of exchanges) expect((await exchange.positions("BTCUSDT")).rows).toHaveLength(1);
    expect((await seen()).refused).toBe(0);
  });
});
