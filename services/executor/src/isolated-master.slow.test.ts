/** I6 where a master is cut off from its replicas, while another one may carry the kill switch already. */
import { eventually, patienceMs, startRedisServer } from "@quantum/harness";
import { expect, it, onTestFinished } from "vitest";
import { keys, orders, PLAN, redis, requestOf, unchanged, useRedis } from "./order-scripts.fixture.ts";

useRedis();

const LAG_SEC = 1;
/** The lag is counted in whole seconds, and looked at once a second. */
const ROUNDING_SEC = 2;

it("no claim is taken once min-replicas-max-lag and 2 s are over, and a claim that is refused has changed nothing", async () => {
  const port = Number(/tcp_port:(\d+)/.exec(await redis.info("server"))?.[1]);
  await redis.config("SET", "repl-diskless-sync-delay", "0");
  const replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${port}` } });
  onTestFinished(() => replica.stop());
  const hears = async () => (await redis.info("replication")).includes("state=online,");
  await eventually(async () => (await hears()) || undefined, 10_000, "a replica that follows");
  await redis.config("SET", "min-replicas-max-lag", String(LAG_SEC));
  await redis.config("SET", "min-replicas-to-write", "1");
  const takesWrites = () => redis.set("quantum:test", "1").then(Boolean, () => false);
  await eventually(async () => (await takesWrites()) || undefined, 10_000, "a master that takes writes");

  const sinceMs = performance.now();
  replica.pause();
  await eventually(async () => !(await takesWrites()) || undefined, 10_000, "a master that takes no writes");
  const withinMs = (LAG_SEC + ROUNDING_SEC) * 1000;
  expect(performance.now() - sinceMs).toBeLessThan(withinMs + patienceMs(1_000));

  const request = await requestOf();
  await unchanged(() => expect(orders.claim(request)).rejects.toThrow("NOREPLICAS"));
  expect(await redis.exists(keys.order(PLAN))).toBe(0);
});
