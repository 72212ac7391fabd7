/** The executor as a separate process, while the exchange serves no user data stream. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "@quantum/harness";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KEY, type Rig, SECRET, startRig } from "./rig.fixture.ts";

/** Interruptions of less than 5 s are not told. */
const TOLD_TIMEOUT_MS = 20_000;

let rig: Rig;
let dir: string;
beforeAll(async () => {
  rig = await startRig();
  dir = await mkdtemp(join(tmpdir(), "quantum-stream-down-"));
});
afterAll(async () => {
  await rig.stop();
  await rm(dir, { recursive: true });
});

it("executes by queries, and is ready and says why; with the stream back it executes by events", async () => {
  await rig.streamFault({ kind: "disconnect", ms: 600_000 });
  const service = await startService("executor", {
    REDIS_URL: rig.server.url,
    BINANCE_BASE_URL: rig.sim.url,
    BINANCE_TESTNET_API_KEY: KEY,
    BINANCE_TESTNET_API_SECRET: SECRET,
    EXECUTOR_METRICS_PORT: "0",
    EXECUTOR_MODE: "paper",
    EXECUTOR_ISSUER_KEYS_FILE: rig.publicKeysFile,
    EXECUTOR_STATE_DIR: join(dir, "state"),
    INSTANCE: "executor-1",
  });
  const execute = async () => {
    const symbol = rig.freshSymbol();
    await rig.publish(await rig.spend({ symbol }));
    await service.waitForLog(
      ({ msg }) => msg === `${symbol}: Result published (executed=True, error=None)`,
      TOLD_TIMEOUT_MS,
    );
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    return [...metrics.matchAll(/^quantum_orders_settled_total\{by="(event|query)"\} (\d+)$/gm)].map(
      ([, by, count]) => `${by} ${count}`,
    );
  };
  const ready = async () => {
    const answer = await fetch(`${service.url}/readyz`);
    return [answer.status, await answer.json()];
  };
  expect(await execute()).toEqual(["event 0", "query 1"]);
  const note = expect.stringContaining("the exchange has sent no account events for") as string;
  await expect
    .poll(ready, { timeout: TOLD_TIMEOUT_MS })
    .toEqual([200, { status: "ready", problems: [], note }]);

  await rig.clearStreamFaults();
  await expect.poll(ready, { timeout: TOLD_TIMEOUT_MS }).toEqual([200, { status: "ready", problems: [] }]);
  expect(await execute()).toEqual(["event 1", "query 1"]);
  await service.stop();
});
