/** A service of three partitions on one server: what it reads, what it says of itself, and when it says it only once. */
import { createKeys, PARTITIONS_MAX, partitionOf } from "@quantum/contract";
import { keepRunning, patienceMs, startRedisServer } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get, launch } from "./launch.fixture.ts";
import { openPartitions } from "./partitions.ts";

const SAMPLE = "sample.fixture.ts";
const WAIT = { timeout: patienceMs(10_000), interval: 20 };
const PARTITIONS = [0, 1, 2];
const streamOf = (partition: number) => createKeys({ partition }).streams.plan;

async function givenService() {
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  onTestFinished(async () => {
    await disconnect(redis);
    await server.stop();
  });
  const service = launch(SAMPLE, { REDIS_URL: server.url, PARTITIONS: `${PARTITIONS.length}` });
  return { server, redis, service, url: await service.ready() };
}

describe("a service of three partitions", () => {
  it("handles each partition's entries, and counts them under the wire's name with the partition", async () => {
    const { redis, service, url } = await givenService();
    for (const partition of PARTITIONS) await redis.xadd(streamOf(partition), "*", "n", "1");
    await vi.waitFor(async () => {
      const handled = service.records.filter(({ msg }) => msg === "handling");
      expect(new Set(handled.map(({ partition }) => partition))).toEqual(new Set(PARTITIONS));
      expect(handled).toHaveLength(PARTITIONS.length);
      const { body } = await get(`${url}/metrics`);
      for (const partition of PARTITIONS) {
        const labels = `stream="${createKeys().streams.plan}",partition="q${partition}",group="sample"`;
        expect(body).toContain(`quantum_stream_handled_total{${labels},disposition="ack"} 1\n`);
        expect(body).toContain(`quantum_stream_lag{${labels}} 0\n`);
      }
    }, WAIT);
    expect(await redis.exists(createKeys().streams.plan)).toBe(0);
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });

  it("is halted, disarmed or has dead letters if one partition is or has", async () => {
    const { redis, url } = await givenService();
    const marks = await keepRunning(
      redis,
      PARTITIONS.map((partition) => createKeys({ partition })),
    );
    onTestFinished(() => marks.stop());
    const shows = async (lines: readonly string[]) => {
      const { body } = await get(`${url}/metrics`);
      for (const line of lines) expect(body).toContain(`\n${line}\n`);
    };
    await shows([
      "quantum_redis_up 1",
      "quantum_kill_switch_active 0",
      "quantum_disarmed 0",
      "quantum_dead_letters 0",
    ]);
    const keys = createKeys({ partition: 2 });
    await redis.set(keys.killSwitch, "1");
    await redis.set(keys.disarm, "{}");
    for (const partition of PARTITIONS)
      await redis.xadd(createKeys({ partition }).streams.deadLetter, "*", "reason", "bad");
    await shows(["quantum_kill_switch_active 1", "quantum_disarmed 1", "quantum_dead_letters 3"]);
    await redis.del(keys.killSwitch);
    await shows(["quantum_kill_switch_active 0"]);
    await marks.stop();
    await redis.del(keys.killSwitchSeen);
    await shows(["quantum_kill_switch_active 1"]);
  });

  it("says once what is wrong with the Redis of all, and names the partition of what is wrong with one", async () => {
    const { server, redis, url } = await givenService();
    const { killSwitch } = createKeys({ partition: 1 });
    await redis.lpush(killSwitch, "1");
    expect((await get(`${url}/readyz`)).body).toContain(
      `partition q1: ${killSwitch} is a list but must be a string`,
    );
    await redis.del(killSwitch);
    server.pause();
    const { body } = await get(`${url}/readyz`).finally(() => server.resume());
    const { problems } = JSON.parse(body) as { problems: string[] };
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^Redis does not answer: /);
    await vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);
  });
});

describe("partitions", () => {
  const connect = (key: string) => ({
    key,
    redis: {} as RedisClient,
    connectForBlocking: () => ({}) as RedisClient,
  });

  it("have a symbol where its number says, and what is the account's in the first", () => {
    for (const count of [1, 2, 6, PARTITIONS_MAX]) {
      const partitions = openPartitions(count, connect);
      expect(partitions.all).toHaveLength(count);
      for (const symbol of ["BTCUSDT", "ETHUSDT", "币安人生USDT"])
        expect(partitions.of(symbol).number).toBe(partitionOf(symbol, count));
      expect(partitions.account).toBe(partitions.all[0]);
    }
  });

  it("are the wire's keys where there is one", () => {
    expect(openPartitions(1, connect).account.keys.streams).toEqual(createKeys().streams);
    expect(openPartitions(2, connect).account.keys.streams).toEqual(createKeys({ partition: 0 }).streams);
  });
});
