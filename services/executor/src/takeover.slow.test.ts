/** Two executors as processes of their own, and the one that owns the orders is killed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService } from "@quantum/harness";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KEY, type Rig, SECRET, startRig } from "./rig.fixture.ts";

const LOG_TIMEOUT_MS = 20_000;

let rig: Rig;
let split: Rig;
let dir: string;
beforeAll(async () => {
  rig = await startRig();
  split = await startRig({ partitions: 3 });
  dir = await mkdtemp(join(tmpdir(), "quantum-takeover-"));
});
afterAll(async () => {
  await rig.stop();
  await split.stop();
  await rm(dir, { recursive: true });
});

const start = (instance: string, on: Rig = rig, over: Record<string, string> = {}) =>
  startService("executor", {
    REDIS_URL: on.server.url,
    BINANCE_BASE_URL: on.sim.url,
    BINANCE_TESTNET_API_KEY: KEY,
    BINANCE_TESTNET_API_SECRET: SECRET,
    EXECUTOR_METRICS_PORT: "0",
    EXECUTOR_MODE: "paper",
    EXECUTOR_ISSUER_KEYS_FILE: on.publicKeysFile,
    EXECUTOR_ABSENCE_SEC: "1",
    EXECUTOR_RECV_WINDOW_MS: "1000",
    EXECUTOR_TIMEOUT_MS: "500",
    EXECUTOR_STATE_DIR: join(dir, instance),
    INSTANCE: instance,
    ...over,
  });
type Executor = Awaited<ReturnType<typeof start>>;

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

it("of one partition moves alone, under way or not: the others stay with their owner, and no plan is sent twice", async () => {
  const three = (instance: string) => start(instance, split, { PARTITIONS: "3" });
  const first = await three("executor-3");
  const second = await three("executor-4");
  const owned = (executor: Executor, partition: string) =>
    executor.waitForLog(
      (record) => record.msg.startsWith("owns the orders") && record["partition"] === partition,
      LOG_TIMEOUT_MS,
    );
  const spend = (partition: number) =>
    split.spend({ symbol: split.freshSymbol(partition) }).then(async (entry) => {
      await split.publish(entry);
      return entry;
    });
  const ends = async ({ symbol, plan_id: planId }: Awaited<ReturnType<typeof spend>>, executor: Executor) => {
    const { msg } = await executor.waitForLog(
      (record) => record["planId"] === planId && record.msg.startsWith(`${symbol}: Result published`),
      4 * LOG_TIMEOUT_MS,
    );
    return /error=(\w+)/.exec(msg)?.[1];
  };

  // Somebody else owns partition 1 all at once, while plans are under way in each of them.
  const { orderOwner } = split.keysOf(split.freshSymbol(1));
  const underWay = await Promise.all([0, 1, 1, 2, 1, 0, 1, 2].map(spend));
  const nowMs = String(await split.redisMs());
  await split.redis.hset(orderOwner, { instance: "executor-4", since_ms: nowMs, seen_ms: nowMs });
  const also = await Promise.all([1, 0, 1, 2].map(spend));
  await owned(second, "q1");
  const standing = async () =>
    ((await (await fetch(`${first.url}/readyz`)).json()) as { note?: string }).note ?? "";
  await expect
    .poll(standing, { timeout: LOG_TIMEOUT_MS })
    .toContain("standing by for executor-4 in partition q1");
  const metrics = await (await fetch(`${first.url}/metrics`)).text();
  for (const line of ['{partition="q0"} 1', '{partition="q1"} 0', '{partition="q2"} 1'])
    expect(metrics).toContain(`quantum_executor_owner${line}\n`);
  const [zero, one, two] = await Promise.all([0, 1, 2].map(spend));
  if (zero === undefined || one === undefined || two === undefined) throw new Error("three were spent");
  expect(await Promise.all([ends(zero, first), ends(one, second), ends(two, first)])).toEqual([
    "None",
    "None",
    "None",
  ]);

  // The second one dies. The first one asks about what it may have sent.
  await second.kill();
  const left = await split.spend({
    symbol: split.freshSymbol(1),
    valid_until_ms: String((await split.redisMs()) + 15_000),
  });
  await split.publish(left);
  await expect.poll(standing, { timeout: LOG_TIMEOUT_MS }).not.toContain("standing by");
  expect(await ends(left, first)).toBe("not_placed_by_evidence");
  expect(await ends(await spend(1), first)).toBe("None");

  for (const entry of [...underWay, ...also, zero, one, two, left]) {
    const results = () => split.results(entry.plan_id);
    await expect.poll(results, { timeout: LOG_TIMEOUT_MS }).toHaveLength(1);
    const isExecuted = (await results())[0]?.["outcome"] === "EXECUTED";
    expect(await split.ordersOf(entry)).toHaveLength(isExecuted ? 1 : 0);
  }
  await first.stop();
});
