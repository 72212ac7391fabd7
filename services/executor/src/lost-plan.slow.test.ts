/** A failover in which the promoted replica has neither the plan nor the claim of an order that was sent. */
import { createKeys } from "@quantum/contract";
import { eventually, startFaultProxy, startRedisServer } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { expect, it, onTestFinished } from "vitest";
import { startRig } from "./rig.fixture.ts";

const WITHIN_MS = 30_000;
const POST = "POST /fapi/v1/order";
const keys = createKeys();

it("the executor that sent it publishes its one outcome there, and sends no second order", async () => {
  const rig = await startRig();
  onTestFinished(() => rig.stop());
  await rig.redis.config("SET", "repl-diskless-sync-delay", "0");
  const replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${rig.server.port}` } });
  onTestFinished(() => replica.stop());
  const follows = async () => (await rig.redis.info("replication")).includes("state=online") || undefined;
  await eventually(follows, WITHIN_MS, "a replica that follows");
  const proxy = await startFaultProxy({ upstream: { port: rig.server.port } });
  onTestFinished(() => proxy.close());
  const executor = await rig.executor({ urlOf: () => `redis://127.0.0.1:${proxy.port}` });
  onTestFinished(() => executor.stop());

  const url = `redis://127.0.0.1:${replica.port}`;
  const promoted = connectForCommands({ url, name: "promoted", onError: () => undefined });
  onTestFinished(() => disconnect(promoted));
  // It is promoted while the old master, cut off, still takes an order.
  await promoted.replicaof("NO", "ONE");
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  const first = executor.next("settled", entry.plan_id);
  await rig.publish(entry);
  expect(await first).toMatchObject({ outcome: "EXECUTED" });
  expect(await promoted.exists(keys.order(entry.plan_id), keys.plan(entry.plan_id))).toBe(0);

  const second = executor.next("settled", entry.plan_id);
  proxy.lead(replica.port);
  expect(await second).toMatchObject({ outcome: "EXECUTED", symbol: entry.symbol });
  const results = await promoted.xrange(keys.streams.result, "-", "+");
  expect(results.map(([, fields]) => fields)).toEqual([
    expect.arrayContaining(["plan_id", entry.plan_id, "attempt", entry.attempt, "EXECUTED"]),
  ]);
  await executor.handovers.sweep();
  expect(await promoted.xlen(keys.streams.result)).toBe(1);
  expect(await rig.ordersOf(entry)).toHaveLength(1);
  expect(await rig.requests(POST)).toBe(1);
});
