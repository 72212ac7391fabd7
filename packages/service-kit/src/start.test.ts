/** A start against a Redis with problems: it exits if the problem is permanent, and waits if it may pass. */
import { connectForCommands, disconnect } from "@quantum/redis";
import { freePort, type RedisServerOptions, startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished } from "vitest";
import { get, launch } from "./launch.fixture.ts";

const SAMPLE = "sample.fixture.ts";
const REFUSED = { code: 2, signal: null };

async function givenRedis(options: RedisServerOptions = {}) {
  const server = await startRedisServer(options);
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  onTestFinished(async () => {
    await disconnect(redis);
    await server.stop();
  });
  return { server, redis };
}

/**
 * Checks that it exits with code 2.
 * @returns its last message
 */
async function refusalOf(env: Record<string, string>): Promise<string> {
  const service = launch(SAMPLE, env);
  expect(await service.exited).toEqual(REFUSED);
  return (await service.log(/^sample cannot start/)).msg;
}

describe("a start that Redis refuses", () => {
  it("names the database, and leaves database 0 alone", async () => {
    const { server, redis } = await givenRedis();
    const at = { REDIS_HOST: "127.0.0.1", REDIS_PORT: String(server.port) };
    expect(await refusalOf({ ...at, REDIS_DB: "16" })).toContain(
      "REDIS_DB=16: this Redis has no such database",
    );
    expect(await refusalOf({ REDIS_URL: `${server.url}/20` })).toContain(
      "REDIS_URL (its database 20): this Redis has no such database",
    );
    expect(await redis.dbsize()).toBe(0);
  });

  it("names the credentials", async () => {
    const { server } = await givenRedis({ config: { requirepass: "right" } });
    expect(await refusalOf({ REDIS_URL: server.url })).toContain("REDIS_URL: Redis wants a password");
  });

  it("names the right that is missing, to what the start reads and to what its work needs", async () => {
    const { server, redis } = await givenRedis();
    for (const right of ["-time", "-xgroup"]) {
      await redis.acl("SETUSER", "worker", "reset", "on", ">secret", "~*", "+@all", right);
      const said = await refusalOf({ REDIS_URL: `redis://worker:secret@127.0.0.1:${server.port}` });
      expect(said).toContain("REDIS_URL: this Redis user lacks a required right (NOPERM");
    }
  });

  it("is not what another side's error is taken for", async () => {
    const { server } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url, SAMPLE_FAILS: "self-signed certificate" });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect((await service.log(/^sample cannot start/)).msg).toBe(
      "sample cannot start: self-signed certificate",
    );
  });

  it("names a cluster's node and a server of another protocol", async () => {
    const { server } = await givenRedis({ config: { "cluster-enabled": "yes" } });
    const at = { REDIS_HOST: "127.0.0.1", REDIS_PORT: String(server.port) };
    expect(await refusalOf(at)).toContain(
      `REDIS_HOST=127.0.0.1 REDIS_PORT=${server.port}: redis_mode is cluster`,
    );
    const other = launch("bare.fixture.ts");
    const http = new URL(await other.ready());
    expect(await refusalOf({ REDIS_URL: `redis://${http.host}` })).toContain(
      "REDIS_URL: what answers there does not speak Redis's protocol",
    );
  });

  it.each([
    ["redis://localhost:6379/three", "database: must be a number"],
    ["redis://localhost:6379/0?db=3", "query: may have family"],
    ["redis://localhost:6379/1/2", "database: must be a number"],
    ["redis:///3", "host: is missing"],
  ])("does not take %s for database 0, and says what is wrong: %s", async (url, wrong) => {
    const service = launch(SAMPLE, { REDIS_URL: url });
    expect(await service.exited).toEqual(REFUSED);
    expect(service.stderr.join()).toContain(
      `REDIS_URL=(hidden): must be a URL such as redis://host:port/db (${wrong}`,
    );
  });
});

describe("a start that waits for Redis", () => {
  it("says so on its port, and takes up work when Redis comes", async () => {
    const port = await freePort();
    const redisPort = await freePort();
    const service = launch(SAMPLE, {
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      SAMPLE_PORT: String(port),
    });
    const url = `http://127.0.0.1:${port}`;
    await service.log("waiting for Redis");
    expect(await get(`${url}/healthz`)).toMatchObject({ status: 200 });
    const waiting = await get(`${url}/readyz`);
    expect(waiting).toMatchObject({ status: 503 });
    expect(waiting.body).toContain("waiting for Redis: Redis does not answer: connect ECONNREFUSED");
    expect((await get(`${url}/metrics`)).body).toContain("quantum_redis_up 0");
    expect((await get(`${url}/metrics`)).body).toContain("quantum_ready 0");
    expect(await get(`${url}/plans/1`)).toMatchObject({ status: 503 });
    await givenRedis({ port: redisPort });
    expect(await service.ready()).toBe(url);
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });

  it("waits for a replica to become master", async () => {
    const { server } = await givenRedis();
    const replica = await givenRedis({ config: { replicaof: `127.0.0.1 ${server.port}` } });
    const service = launch(SAMPLE, { REDIS_URL: replica.server.url });
    expect(await service.log("waiting for Redis")).toMatchObject({
      state: "role is slave, must be master",
    });
    await replica.redis.replicaof("NO", "ONE");
    await service.ready();
  });

  it("does without INFO and CONFIG GET, and says so", async () => {
    const { server, redis } = await givenRedis();
    await redis.acl("SETUSER", "default", "-info", "-config");
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    const url = await service.ready();
    expect(await service.log("Redis does not tell everything about itself")).toMatchObject({
      missing: ["INFO is not offered to this Redis user", "CONFIG GET is not offered to this Redis user"],
    });
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });
});
