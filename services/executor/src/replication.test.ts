/** EXECUTOR_MIN_REPLICAS: an order whose claim only the master has is not sent. */
import { once } from "node:events";
import { eventually, haveReplicas, startRedisServer } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { Replication } from "./replication.ts";
import { type Rig, startRig } from "./rig.fixture.ts";

let rig: Rig;
let replica: Awaited<ReturnType<typeof startRedisServer>>;
beforeAll(async () => {
  rig = await startRig();
  // By default a master waits 5 s for more replicas before it sends its data.
  await rig.redis.config("SET", "repl-diskless-sync-delay", "0");
  replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${rig.server.port}` } });
  await eventually(
    async () => (await haveReplicas(rig.redis, 1)) || undefined,
    10_000,
    "a replica that follows",
  );
});
afterAll(async () => {
  await replica.stop();
  await rig.stop();
});

async function endOf(options: { consumer: string; minReplicas: number }) {
  const executor = await rig.executor(options);
  onTestFinished(() => executor.stop());
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  const ended = executor.ended(entry);
  const entryId = await rig.publish(entry);
  await ended;
  return { entry, entryId };
}

it("an order is sent once as many replicas as required have its claim", async () => {
  const { entry, entryId } = await endOf({ consumer: "one", minReplicas: 1 });
  expect(await rig.expectEnded(entry, entryId, "EXECUTED", "")).toMatchObject({ executed_qty: "0.010" });
});

it("with fewer, it ends at once, unsent and unrecorded: nothing is left to ask", async () => {
  const { entry, entryId } = await endOf({ consumer: "two", minReplicas: 2 });
  const result = await rig.expectEnded(entry, entryId, "NOT_PLACED", "claim_not_replicated");
  expect(result?.["steps_results"]).toContain("1 of 2 replicas acknowledged within 200 ms");
  expect(await rig.ordersOf(entry)).toEqual([]);
});

it("with 0 required, replicas are not asked", async () => {
  const { entry, entryId } = await endOf({ consumer: "none", minReplicas: 0 });
  expect(await rig.expectEnded(entry, entryId, "EXECUTED", "")).toMatchObject({ executed_qty: "0.010" });
});

it("nothing is proven by a connection that is newer than the claim, nor by Redis's refusal", async () => {
  const client = connectForCommands({ url: rig.server.url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  await client.ping();
  const replication = new Replication(client, 1);
  const kept = replication.beforeClaim();
  await client.set("quantum:test", "1");
  expect(await kept()).toBeUndefined();

  const lost = replication.beforeClaim();
  await client.set("quantum:test", "2");
  const id = await client.client("ID");
  const again = once(client, "ready");
  await rig.redis.client("KILL", "ID", id);
  await again;
  expect(await lost()).toBe("the connection to Redis was lost after the claim");

  await rig.redis.acl("SETUSER", "default", "-wait");
  onTestFinished(async () => void (await rig.redis.acl("SETUSER", "default", "+wait")));
  expect(await replication.beforeClaim()()).toContain("WAIT: NOPERM");
});

it("claims that were answered together share one WAIT", async () => {
  const client = connectForCommands({ url: rig.server.url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  const replication = new Replication(client, 1);
  const waits = async () => /cmdstat_wait:calls=(\d+)/.exec(await rig.redis.info("commandstats"))?.[1];
  const before = Number((await waits()) ?? 0);
  await client.set("quantum:test", "3");
  const proofs = Array.from({ length: 5 }, () => replication.beforeClaim());
  expect(await Promise.all(proofs.map((proof) => proof()))).toEqual(Array(5).fill(undefined));
  expect(Number(await waits()) - before).toBe(1);
});
