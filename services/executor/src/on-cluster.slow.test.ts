/** The executor on a real cluster with a partition on each master, one of which is lost. */
import { setTimeout as delay } from "node:timers/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { slotOf } from "@quantum/contract";
import { eventually, startService } from "@quantum/harness";
import { expect, it, onTestFinished } from "vitest";
import { KEY, SECRET, type Spent, startRig } from "./rig.fixture.ts";

const WITHIN_MS = 30_000;
/** Neither the account's partition nor that of the others here. */
const LOST = 1;
/** Plans go to the others at this pace while their neighbour is away. */
const PLAN_EVERY_MS = 100;
/** As many symbols as each of the others has, at least. */
const PLANS_MAX = 24;

it("a master that is lost stops the orders of its own partition, and they are queried, not sent again", async () => {
  const rig = await startRig({ partitions: 3 }, "cluster");
  onTestFinished(() => rig.stop());
  const dir = await mkdtemp(join(tmpdir(), "quantum-on-cluster-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const executor = await startService("executor", {
    REDIS_URL: rig.server.url,
    PARTITIONS: "3",
    BINANCE_BASE_URL: rig.sim.url,
    BINANCE_TESTNET_API_KEY: KEY,
    BINANCE_TESTNET_API_SECRET: SECRET,
    EXECUTOR_METRICS_PORT: "0",
    EXECUTOR_MODE: "paper",
    EXECUTOR_ISSUER_KEYS_FILE: rig.publicKeysFile,
    EXECUTOR_ABSENCE_SEC: "1",
    EXECUTOR_RECV_WINDOW_MS: "1000",
    EXECUTOR_TIMEOUT_MS: "500",
    EXECUTOR_STATE_DIR: join(dir, "state"),
    INSTANCE: "executor-1",
  });
  onTestFinished(async () => void (await executor.kill()));
  const publish = async (partition: number, over: Partial<Spent> = {}) => {
    const entry = await rig.spend({ symbol: rig.freshSymbol(partition), ...over });
    return { entry, entryId: await rig.publish(entry) };
  };
  const published = ({ entry }: { entry: Spent }) =>
    executor.waitForLog(
      (record) => record["planId"] === entry.plan_id && record.msg.includes("Result published"),
      WITHIN_MS,
    );

  const before = await Promise.all([0, 1, 2].map((partition) => publish(partition)));
  await Promise.all(before.map(published));

  const slot = slotOf(rig.keysOf(before[LOST]?.entry.symbol ?? "").probe);
  const away = new AbortController();
  const replaced = rig.server.killMaster(slot).finally(() => away.abort());
  const meanwhile: Awaited<ReturnType<typeof publish>>[] = [];
  while (!away.signal.aborted && meanwhile.length < PLANS_MAX) {
    meanwhile.push(...(await Promise.all([publish(0), publish(2)])));
    await delay(PLAN_EVERY_MS);
  }
  await replaced;
  const { redis: moved, keys } = rig.placeOf(before[LOST]?.entry.symbol ?? "");
  const takesWrites = () =>
    moved.del(keys.probe).then(
      () => true,
      () => undefined,
    );
  await eventually(takesWrites, WITHIN_MS, "a connection to the new master");
  expect(meanwhile.length).toBeGreaterThan(2);
  await Promise.all(meanwhile.map(published));
  for (const { entry, entryId } of meanwhile) {
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
    expect(await rig.ordersOf(entry)).toHaveLength(1);
  }

  // Proposed before the loss and sent then, as far as anybody knows; the promoted replica has no claim of it.
  const proposed = { proposed_ms: String((await rig.redisMs()) - 10_000) };
  const sent = await rig.spend({ symbol: rig.freshSymbol(LOST), ...proposed });
  await rig.send(sent);
  const sentId = await rig.publish(sent);
  const unsent = await publish(LOST, proposed);
  await Promise.all([published({ entry: sent }), published(unsent)]);
  await rig.expectEnded(sent, sentId, "EXECUTED", "");
  expect(await rig.ordersOf(sent)).toHaveLength(1);
  await rig.expectEnded(unsent.entry, unsent.entryId, "NOT_PLACED", "not_placed_by_evidence");
  expect(await rig.ordersOf(unsent.entry)).toEqual([]);
  const rewound = executor.logs.filter(({ msg }) => msg.startsWith("Redis was restarted or replaced"));
  expect(new Set(rewound.map((record) => record["partition"]))).toEqual(new Set([`q${LOST}`]));
  await executor.stop();
});
