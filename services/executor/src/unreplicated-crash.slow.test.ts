/** EXECUTOR_MIN_REPLICAS, and the executor dies between the claim and the replicas' word. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, startFaultProxy, startRedisServer, startService } from "@quantum/harness";
import { expect, it, onTestFinished } from "vitest";
import { JOURNAL_FILE } from "./journal.ts";
import { KEY, SECRET, startRig } from "./rig.fixture.ts";

const WITHIN_MS = 20_000;
const POST = "POST /fapi/v1/order";
const QUERY = "GET /fapi/v1/order";

it("the order is a question for the next start, asked by its client order id, and never sent", async () => {
  const rig = await startRig();
  onTestFinished(() => rig.stop());
  await rig.redis.config("SET", "repl-diskless-sync-delay", "0");
  const replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${rig.server.port}` } });
  onTestFinished(() => replica.stop());
  const follows = async () => (await rig.redis.info("replication")).includes("state=online") || undefined;
  await eventually(follows, WITHIN_MS, "a replica that follows");
  const dir = await mkdtemp(join(tmpdir(), "quantum-unreplicated-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const waits = Promise.withResolvers<void>();
  const proxy = await startFaultProxy({
    upstream: { port: rig.server.port },
    protocol: "resp",
    onFrame: ({ direction, summary }) => {
      if (direction !== "request" || summary !== "WAIT 1") return "pass";
      waits.resolve();
      return "hold";
    },
  });
  onTestFinished(() => proxy.close());
  const start = (port: number) =>
    startService("executor", {
      REDIS_URL: `redis://127.0.0.1:${port}`,
      BINANCE_BASE_URL: rig.sim.url,
      BINANCE_TESTNET_API_KEY: KEY,
      BINANCE_TESTNET_API_SECRET: SECRET,
      EXECUTOR_METRICS_PORT: "0",
      EXECUTOR_MODE: "paper",
      EXECUTOR_ISSUER_KEYS_FILE: rig.publicKeysFile,
      EXECUTOR_MIN_REPLICAS: "1",
      EXECUTOR_ABSENCE_SEC: "1",
      EXECUTOR_RECV_WINDOW_MS: "1000",
      EXECUTOR_TIMEOUT_MS: "500",
      EXECUTOR_STATE_DIR: join(dir, "state"),
      INSTANCE: "executor-1",
    });

  const first = await start(proxy.port);
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  const entryId = await rig.publish(entry);
  await waits.promise;
  await first.kill();
  expect(await rig.redis.hget(rig.keys.order(entry.plan_id), "state")).toBe("SENT");
  expect(await readFile(join(dir, "state", JOURNAL_FILE), "utf8")).not.toContain(entry.plan_id);

  const queries = await rig.requests(QUERY);
  const second = await start(rig.server.port);
  const published = ({ msg }: { msg: string }) => msg.startsWith(`${entry.symbol}: Result published`);
  await second.waitForLog(published, WITHIN_MS);
  await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
  expect(await rig.requests(QUERY)).toBeGreaterThan(queries);
  expect(await rig.requests(POST)).toBe(0);
  expect(await rig.ordersOf(entry)).toEqual([]);
  await second.stop();
});
