/** A service of several partitions on a real cluster, and on the master of real Sentinels: through a failover. */
import { createKeys, slotOf } from "@quantum/contract";
import { patienceMs, startRedisCluster, startReplicatedRedis } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get, launch } from "./launch.fixture.ts";

const SAMPLE = "sample.fixture.ts";
const PARTITIONS = 6;
/** Of a failover and of what follows it. */
const WAIT = { timeout: patienceMs(30_000), interval: 100 };
const numbers = Array.from({ length: PARTITIONS }, (_, number) => number);
const streamOf = (partition: number) => createKeys({ partition }).streams.plan;

function connect(url: string, slot: string) {
  const client = connectForCommands({ url, slotOf: slot, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

const untilReady = (url: string) =>
  vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);

describe("a service of six partitions on a cluster", () => {
  it("works in all, names the partition whose master is lost, and goes on in the others meanwhile", async () => {
    const cluster = await startRedisCluster({ masters: 3, replicas: 1 });
    onTestFinished(() => cluster.stop());
    const service = launch(SAMPLE, { REDIS_URL: cluster.url, PARTITIONS: `${PARTITIONS}` });
    const url = await service.ready();
    await untilReady(url);
    expect(await connect(cluster.url, createKeys().partitions).get(createKeys().partitions)).toBe("6");

    const clients = numbers.map((number) => connect(cluster.url, streamOf(number)));
    const add = (number: number) => clients[number]?.xadd(streamOf(number), "*", "n", "1");
    const handledIn = (number: number) =>
      service.records.filter(({ msg, partition }) => msg === "handling" && partition === number).length;
    for (const number of numbers) await add(number);
    await vi.waitFor(() => expect(numbers.map(handledIn)).toEqual(numbers.map(() => 1)), WAIT);

    const slot = slotOf(streamOf(3));
    const lost = await cluster.masterOf(slot);
    const places = await Promise.all(numbers.map((number) => cluster.masterOf(slotOf(streamOf(number)))));
    const others = numbers.filter((number) => places[number] !== lost);
    expect(others.length).toBeGreaterThan(0);
    const replaced = cluster.killMaster(slot);
    await vi.waitFor(async () => {
      const { body } = await get(`${url}/readyz`);
      expect(body).toMatch(/partitions? (q\d, )*q3(, q\d)*: /);
      for (const number of others) expect(body).not.toMatch(new RegExp(`partitions? [^:]*q${number}`));
    }, WAIT);
    for (const number of others) await add(number);
    await vi.waitFor(() => expect(others.map(handledIn)).toEqual(others.map(() => 2)), WAIT);
    await replaced;
    await untilReady(url);
    await vi.waitFor(() => add(3), WAIT);
    await vi.waitFor(() => expect(handledIn(3)).toBe(2), WAIT);
  });

  it("starts once all masters are usable, and names the partitions of one that is not, or lets it do less", async () => {
    const cluster = await startRedisCluster({ masters: 3 });
    onTestFinished(() => cluster.stop());
    const partition = createKeys({ partition: 1 }).probe;
    const place = await cluster.masterOf(slotOf(partition));
    const client = connect(cluster.url, partition);
    for (const port of cluster.ports) {
      const node = connect(`redis://127.0.0.1:${port}`, "");
      await node.acl(
        "SETUSER",
        "worker",
        "on",
        ">secret",
        "~*",
        "+@all",
        ...(port === place ? ["-xautoclaim"] : []),
      );
    }
    const url = cluster.url.replace("//", "//worker:secret@");
    const refused = launch(SAMPLE, {
      REDIS_URL: url,
      PARTITIONS: `${PARTITIONS}`,
      AS_SERVICE: "governor",
    });
    expect(await refused.exited).toEqual({ code: 2, signal: null });
    expect((await refused.log(/cannot start/)).msg).toMatch(
      /partitions? (q\d, )*q1(, q\d)*: REDIS_URL: this Redis user may not do what governor does: xautoclaim /,
    );
    await client.acl("SETUSER", "worker", "+@all");

    const pid = Number(/process_id:(\d+)/.exec(await client.info("server"))?.[1]);
    process.kill(pid, "SIGSTOP");
    const service = launch(SAMPLE, { REDIS_URL: url, PARTITIONS: `${PARTITIONS}` });
    const waits = await service.log("waiting for Redis").finally(() => process.kill(pid, "SIGCONT"));
    const places = await Promise.all(numbers.map((number) => cluster.masterOf(slotOf(streamOf(number)))));
    const away = numbers.filter((number) => places[number] === place).map((number) => `q${number}`);
    expect(waits["state"]).toMatch(
      new RegExp(`^partition${away.length === 1 ? "" : "s"} ${away.join(", ")}: Redis does not answer: `),
    );
    await untilReady(await service.ready());
  });

  it("is refused with one partition, and by the URL of one of its nodes", async () => {
    const cluster = await startRedisCluster({ masters: 1 });
    onTestFinished(() => cluster.stop());
    const one = launch(SAMPLE, { REDIS_URL: cluster.url });
    expect(await one.exited).toEqual({ code: 2, signal: null });
    expect(one.stderr.join("\n")).toContain("PARTITIONS=1: a Redis Cluster runs a script only if");
    const node = launch(SAMPLE, { REDIS_URL: `redis://127.0.0.1:${cluster.ports[0]}`, PARTITIONS: "6" });
    expect(await node.exited).toEqual({ code: 2, signal: null });
    expect((await node.log(/^sample cannot start/)).msg).toContain("its URL begins with redis+cluster://");
  });
});

it("a service by Sentinels follows the master through a failover, with any number of partitions", async () => {
  const sentinels = await startReplicatedRedis();
  onTestFinished(() => sentinels.stop());
  const service = launch(SAMPLE, { REDIS_URL: sentinels.url, PARTITIONS: "2" });
  const url = await service.ready();
  await untilReady(url);
  await sentinels.promote();
  await untilReady(url);
  const client = connect(sentinels.url, "");
  for (const number of [0, 1]) await client.xadd(streamOf(number), "*", "n", "1");
  await vi.waitFor(() => {
    const handled = service.records.filter(({ msg }) => msg === "handling");
    expect(new Set(handled.map(({ partition }) => partition))).toEqual(new Set([0, 1]));
  }, WAIT);
});
