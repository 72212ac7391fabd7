/** /readyz of a service whose Redis answers but that makes no progress. */
import { createKeys, typesOfKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { get, launch } from "./launch.fixture.ts";

const WAIT = { timeout: 15_000, interval: 50 };
const keys = createKeys();

const { redis, server } = await useRedis();
beforeEach(() => redis.flushall());

/** Returns its URL once it is ready. */
async function givenService(): Promise<string> {
  const url = await launch("sample.fixture.ts", { REDIS_URL: server.url }).ready();
  await untilReady(url);
  return url;
}
const untilReady = (url: string) =>
  vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);
const untilProblem = (url: string, problem: string | RegExp) =>
  vi.waitFor(async () => {
    const { status, body } = await get(`${url}/readyz`);
    expect(status).toBe(503);
    expect(body).toMatch(problem);
  }, WAIT);

describe("a service is not ready", () => {
  it("while a key that everybody reads is of the wrong type, and names each", async () => {
    const url = await givenService();
    // The sample's own stream has other messages.
    const types = typesOfKeys(keys).filter(([key]) => key !== keys.streams.plan);
    for (const [key, type] of types) {
      await (type === "list" ? redis.set(key, "not yours") : redis.lpush(key, "not yours"));
      const { status, body } = await get(`${url}/readyz`);
      expect(status).toBe(503);
      expect(body).toContain(`${key} is a list but must be a ${type}`);
      expect(body).not.toContain("Redis refuses a write");
    }
    await redis.del(...types.map(([key]) => key));
    await untilReady(url);
    expect((await get(`${url}/metrics`)).body).toContain("quantum_ready 1");
  });

  it("while a stream takes no more entries because somebody has used up its ids", async () => {
    const url = await givenService();
    const { execute, plan } = keys.streams;
    for (const stream of [execute, plan]) {
      await redis.xadd(stream, "18446744073709551615-18446744073709551615", "hold_ms", "0");
      await untilProblem(url, `${stream} takes no more entries`);
    }
    await redis.del(execute);
    expect((await get(`${url}/readyz`)).body).not.toContain(execute);
  });

  it("while Redis takes no writes: out of memory, too few replicas, a replica itself", async () => {
    const url = await givenService();
    onTestFinished(
      async () => void (await redis.config("SET", "maxmemory", "0", "min-replicas-to-write", "0")),
    );
    await redis.config("SET", "maxmemory", "1");
    await untilProblem(url, "Redis takes no writes because its memory is full");
    await redis.config("SET", "maxmemory", "0", "min-replicas-to-write", "1");
    await untilProblem(url, "Redis takes no writes until enough replicas follow it");
    await redis.config("SET", "min-replicas-to-write", "0");
    await redis.replicaof("127.0.0.1", "1");
    await untilProblem(url, "this Redis is a replica");
    await redis.replicaof("NO", "ONE");
    await untilReady(url);
    expect(await redis.exists(keys.probe)).toBe(0);
  });

  it("while entries fail and none succeeds, and is when one does", async () => {
    const url = await givenService();
    const id = await redis.xadd(keys.streams.plan, "*", "fail", "the order cannot be read");
    await untilProblem(
      url,
      new RegExp(
        `every attempt to handle entries of ${keys.streams.plan} \\(${id}\\) has failed for \\d+ s: the order cannot be read`,
      ),
    );
    await redis.xadd(keys.streams.plan, "*", "n", "1");
    await untilReady(url);
    expect((await redis.xpending(keys.streams.plan, "sample"))[0]).toBe(1);
  });
});
