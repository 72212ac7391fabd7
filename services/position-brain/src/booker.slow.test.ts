/** Two position-brains as processes: who books when one dies, stands still and comes back, or hears nothing any more. */
import { type ServiceProcess, startService } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keys, type Rig, startRig } from "./rig.fixture.ts";

const SYMBOL = "BTCUSDT";
const TAKEOVER_MS = 5_000;
/** A frozen owner is noticed after its lease. */
const FROZEN_MS = 6_000;
const QUIET_MS = 10_000;
const PATIENCE_MS = 20_000;
const TIMEOUT_MS = 60_000;

let rig: Rig;
let brains: ServiceProcess[];

beforeEach(async () => {
  rig = await startRig();
  brains = [];
});
afterEach(async () => {
  for (const brain of brains) await brain.kill();
  await rig.stop();
});

async function startBrain(instance: string, over: Record<string, string> = {}): Promise<ServiceProcess> {
  const brain = await startService("position-brain", {
    REDIS_URL: rig.server.url,
    BINANCE_BASE_URL: rig.sim.url,
    BINANCE_TESTNET_API_KEY: "sim-key",
    BINANCE_TESTNET_API_SECRET: "sim-secret",
    P33_METRICS_PORT: "0",
    P33_ALLOWLIST: SYMBOL,
    P33_LOG_LEVEL: "DEBUG",
    INSTANCE: instance,
    ...over,
  });
  brains.push(brain);
  return brain;
}

const booksIn = (brain: ServiceProcess) =>
  brain.waitForLog(({ msg }) => msg.includes("books the account's events from now on"), PATIENCE_MS);
const become = (amount: number, timeout: number) =>
  expect
    .poll(
      async () => {
        const { snapshot, ledger } = await rig.pairs.read(SYMBOL);
        return [snapshot?.positionAmt, ledger?.amt].map((text) => Number(text));
      },
      { timeout },
    )
    .toEqual([amount, amount]);
const ageSec = async () => {
  const { snapshot } = await rig.pairs.read(SYMBOL);
  return rig.pairs.now(SYMBOL) / 1_000 - (snapshot?.tsEpochSec ?? 0);
};

describe("of two position-brains", { timeout: TIMEOUT_MS }, () => {
  it("the second books within 5 s after the first was killed, with what happened in between", async () => {
    const first = await startBrain("brain-1");
    await booksIn(first);
    const second = await startBrain("brain-2");
    await first.kill();
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016, TAKEOVER_MS);
    await booksIn(second);
    await rig.order(SYMBOL, "SELL", "0.006");
    await become(0.01, TAKEOVER_MS);
    expect(await rig.redis.hget(keys.booker, "instance")).toBe("brain-2");
  });

  it("the first books nothing when it comes back after the second has taken over", async () => {
    const first = await startBrain("brain-1");
    await booksIn(first);
    const second = await startBrain("brain-2");
    first.pause();
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016, FROZEN_MS);
    first.resume();
    for (const quantity of ["0.002", "0.003"]) await rig.order(SYMBOL, "SELL", quantity);
    await become(0.011, TAKEOVER_MS);
    expect(await rig.redis.hget(keys.booker, "instance")).toBe("brain-2");
    for (const brain of [first, second])
      expect(brain.logs.filter(({ msg }) => msg.includes("was wrong since"))).toEqual([]);
  });
});

describe("a stream that is open but silent", { timeout: TIMEOUT_MS }, () => {
  it("is replaced by REST before the pairs are stale", async () => {
    const brain = await startBrain("brain-1");
    await booksIn(brain);
    // A sign of life has written the pairs forward.
    await expect.poll(ageSec, { timeout: PATIENCE_MS }).toBeLessThan(3);
    await rig.streamFault({ kind: "silent", ms: 60_000 });
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016, QUIET_MS);
    expect(await ageSec()).toBeLessThan(QUIET_MS / 1_000);
    const until = performance.now() + QUIET_MS;
    let oldestSec = 0;
    while (performance.now() < until) {
      oldestSec = Math.max(oldestSec, await ageSec());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(oldestSec).toBeLessThan(QUIET_MS / 1_000);
  });
});

describe("a stream that answers pings and tells nothing", { timeout: TIMEOUT_MS }, () => {
  it("is left once REST shows what it has not told", async () => {
    const brain = await startBrain("brain-1", { P33_AUDIT_SEC: "1" });
    await booksIn(brain);
    await expect.poll(ageSec, { timeout: PATIENCE_MS }).toBeLessThan(3);
    await rig.streamFault({ kind: "drop", count: 100 });
    await rig.move(SYMBOL, "0.050");
    await become(0.05, TAKEOVER_MS);
    await brain.waitForLog(({ reason }) => reason === "distrusted", PATIENCE_MS);
  });
});
