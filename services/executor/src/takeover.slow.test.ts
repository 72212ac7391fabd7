/** Two executors as processes of their own, and the one that owns the orders is killed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "@quantum/harness";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KEY, type Rig, SECRET, startRig } from "./rig.fixture.ts";

const LOG_TIMEOUT_MS = 20_000;

let rig: Rig;
let dir: string;
beforeAll(async () => {
  rig = await startRig();
  dir = await mkdtemp(join(tmpdir(), "quantum-takeover-"));
});
afterAll(async () => {
  await rig.stop();
  await rm(dir, { recursive: true });
});

const start = (instance: string) =>
  startService("executor", {
    REDIS_URL: rig.server.url,
    BINANCE_BASE_URL: rig.sim.url,
    BINANCE_TESTNET_API_KEY: KEY,
    BINANCE_TESTNET_API_SECRET: SECRET,
    EXECUTOR_METRICS_PORT: "0",
    EXECUTOR_MODE: "paper",
    EXECUTOR_ISSUER_KEYS_FILE: rig.publicKeysFile,
    EXECUTOR_ABSENCE_SEC: "1",
    EXECUTOR_RECV_WINDOW_MS: "1000",
    EXECUTOR_TIMEOUT_MS: "500",
    EXECUTOR_STATE_DIR: join(dir, instance),
    INSTANCE: instance,
  });

it("takes over after a lease, queries what was permitted before, and sends what is permitted since", async () => {
  const first = await start("executor-1");
  const second = await start("executor-2");
  await first.kill();
  // Permitted while nobody owned the orders: the one before may have sent it.
  const before = await rig.spend({
    symbol: rig.freshSymbol(),
    valid_until_ms: String((await rig.redisMs()) + 15_000),
  });
  await rig.publish(before);
  await second.waitForLog(({ msg }) => msg.startsWith("owns the orders"), LOG_TIMEOUT_MS);
  const published = (symbol: string) =>
    second.waitForLog(({ msg }) => msg.startsWith(`${symbol}: Result published`), 4 * LOG_TIMEOUT_MS);
  const after = await rig.spend({ symbol: rig.freshSymbol() });
  await rig.publish(after);
  expect((await published(after.symbol)).msg).toContain("executed=True");
  expect(await rig.ordersOf(after)).toHaveLength(1);
  expect((await published(before.symbol)).msg).toContain("error=not_placed_by_evidence");
  expect(await rig.ordersOf(before)).toEqual([]);
  await second.stop();
});
