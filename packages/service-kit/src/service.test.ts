import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect } from "@quantum/redis";
import { patienceMs, freePort, type RedisServerOptions, startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get, launch } from "./launch.fixture.ts";

const SAMPLE = "sample.fixture.ts";
const { plan: STREAM } = createKeys().streams;
/** The longest stop with nothing to wait for. */
const STOP_BOUND_MS = 2_000;
const WAIT = { timeout: 10_000, interval: 20 };

async function givenRedis(options: RedisServerOptions = {}) {
  const server = await startRedisServer(options);
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  onTestFinished(async () => {
    await disconnect(redis);
    await server.stop();
  });
  return { server, redis };
}

describe("a running service", () => {
  it("is alive, ready and measured; by itself it takes the environment's Redis", async () => {
    const { server, redis } = await givenRedis();
    const service = launch(SAMPLE, {
      REDIS_HOST: "127.0.0.1",
      REDIS_PORT: String(server.port),
      REDIS_DB: "",
    });
    const url = await service.ready();
    await redis.xadd(STREAM, "*", "n", "1");
    await service.log("handling");

    expect(await get(`${url}/healthz`)).toMatchObject({
      status: 200,
      body: expect.stringMatching(/^{"status":"ok","version":"\d/),
    });
    expect(await get(`${url}/readyz`)).toMatchObject({
      status: 200,
      body: '{"status":"ready","problems":[]}',
    });
    await vi.waitFor(async () => {
      const { body, type } = await get(`${url}/metrics`);
      expect(type).toContain("text/plain");
      const labels = `stream="${STREAM}",group="sample"`;
      expect(body).toContain(`quantum_stream_handled_total{${labels},disposition="ack"} 1\n`);
      expect(body).toContain(`quantum_stream_lag{${labels}} 0\n`);
      expect(body).toContain(`quantum_stream_pending{${labels}} 0\n`);
      expect(body).toMatch(/quantum_stream_read_silence_seconds{.*} \d\.?\d*\n/);
      expect(body).toContain("process_cpu_seconds_total");
    }, WAIT);
    const [consumer] = (await redis.xinfo("CONSUMERS", STREAM, "sample")) as string[][];
    expect(consumer?.[1]).toMatch(new RegExp(`^sample@.+:pid${service.child.pid}$`));
  });

  it("is not ready while its Redis is frozen, says so, and is ready again", async () => {
    const { server } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    const url = await service.ready();
    server.pause();
    const frozen = await get(`${url}/readyz`).finally(() => server.resume());
    expect(frozen).toMatchObject({ status: 503 });
    expect(frozen.body).toContain("Redis does not answer: ");
    expect(await get(`${url}/healthz`)).toMatchObject({ status: 200 });
    await vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);
  });

  it("is not ready until its group exists", async () => {
    const { server, redis } = await givenRedis();
    await redis.set(STREAM, "not a stream");
    const port = await freePort();
    const service = launch(SAMPLE, { REDIS_URL: server.url, SAMPLE_PORT: String(port) });
    await service.log(/^failed to create the group/);
    const url = `http://127.0.0.1:${port}`;
    const before = await get(`${url}/readyz`);
    expect(before).toMatchObject({ status: 503 });
    expect(before.body).toContain(`the group sample on ${STREAM} does not exist`);
    await redis.del(STREAM);
    expect(await service.ready()).toBe(url);
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });

  it("is not ready while a Python service takes entries out of its group, and names it", async () => {
    const { server, redis } = await givenRedis();
    const url = await launch(SAMPLE, { REDIS_URL: server.url }).ready();
    await redis.xgroup("CREATECONSUMER", STREAM, "sample", "gov-4711");
    const { status, body } = await get(`${url}/readyz`);
    expect(status).toBe(503);
    expect(body).toContain(
      `gov-4711 reads ${STREAM} in our group sample: two services of one role are at work`,
    );
    expect((await get(`${url}/metrics`)).body).toMatch(/quantum_stream_python_consumers{.*group="sample"} 1/);
    await redis.xgroup("DELCONSUMER", STREAM, "sample", "gov-4711");
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });

  it.each([
    ["the snapshot is stale", "the snapshot is stale"],
    ["throw", "readiness cannot be told: the exchange cannot be asked"],
  ])("is not ready when the service itself says so (%s)", async (missing, problem) => {
    const { server } = await givenRedis();
    const url = await launch(SAMPLE, { REDIS_URL: server.url, SAMPLE_MISSING: missing }).ready();
    expect(await get(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: JSON.stringify({ status: "not ready", problems: [problem] }),
    });
  });
});

describe("a service that stops", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("ends with 0 soon after %s when it is idle", async (signal) => {
    const { server } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    await service.ready();
    const startedAt = performance.now();
    service.child.kill(signal);
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(patienceMs(STOP_BOUND_MS));
    expect(service.records.slice(-3)).toMatchObject([
      { msg: "stopping", why: signal },
      { msg: "its own stop" },
      { msg: "stopped" },
    ]);
    expect(service.stderr).toEqual([]);
  });

  it("finishes what is under way", async () => {
    const { server, redis } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    await service.ready();
    await redis.xadd(STREAM, "*", "hold_ms", "500");
    await service.log("handling");
    service.child.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect((await redis.xpending(STREAM, "sample"))[0]).toBe(0);
  });

  it("ends at the second signal when the first one takes too long", async () => {
    const { server, redis } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    await service.ready();
    const id = await redis.xadd(STREAM, "*", "hold_ms", "60000");
    await service.log("handling");
    service.child.kill("SIGTERM");
    await service.log("stopping");
    service.child.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect((await redis.xpending(STREAM, "sample")).slice(0, 2)).toEqual([1, id]);
  });

  it("stops while its Redis is gone", async () => {
    const { server } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    await service.ready();
    await server.kill();
    await service.log("Redis connection failed, reconnecting");
    service.child.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  it("ends with its launcher", async () => {
    const { server } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url });
    await service.ready();
    service.child.disconnect();
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(await service.log("stopping")).toMatchObject({ why: "launcher gone" });
  });

  it("ends with a launcher that was gone before it had loaded", async () => {
    const service = launch(SAMPLE, { REDIS_URL: "redis://127.0.0.1:1" });
    service.child.disconnect();
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});

describe("a service that starts", () => {
  it("waits for Redis and says so, then starts when Redis comes", async () => {
    const port = await freePort();
    const service = launch(SAMPLE, { REDIS_URL: `redis://127.0.0.1:${port}` });
    await service.log("waiting for Redis");
    await givenRedis({ port });
    const url = await service.ready();
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
  });

  it("shows no password, whatever Redis says to it", async () => {
    const { server, redis } = await givenRedis();
    await redis.config("SET", "requirepass", "right");
    const service = launch(SAMPLE, { REDIS_URL: `redis://:hunter2@127.0.0.1:${server.port}` });
    const refused = await service.log("Redis connection failed, reconnecting");
    expect(refused["err"]).toEqual({
      type: "ReplyError",
      message: expect.stringContaining("WRONGPASS"),
      stack: expect.any(String),
    });
    await service.exited;
    expect(service.stdout.join()).not.toContain("hunter2");
  });

  it("ends at once with 0 when it is told to while it waits for Redis", async () => {
    const service = launch(SAMPLE, { REDIS_URL: "redis://127.0.0.1:1" });
    await service.log("waiting for Redis");
    const startedAt = performance.now();
    service.child.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(patienceMs(STOP_BOUND_MS));
  });

  it("names a port that is taken, and takes up no work under the other process's name", async () => {
    const { server, redis } = await givenRedis();
    const service = launch(SAMPLE, { REDIS_URL: server.url, SAMPLE_PORT: String(server.port) });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    const { msg } = await service.log(/^sample cannot start/);
    expect(msg).toContain(`address already in use 127.0.0.1:${server.port}`);
    expect(await redis.keys("*")).toEqual([]);
    expect(service.records.map(({ msg: said }) => said)).not.toContain("its own work");
  });

  it("refuses a bad configuration with every violation, before anything else", async () => {
    const service = launch(SAMPLE, {
      REDIS_PORT: "66666",
      REDIS_URL: "localhost:6379",
      SAMPLE_SIZE: "ten",
      SAMPLE_SIZ: "3",
      SAMPLE_LOG_LEVEL: "loud",
    });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(service.stdout).toEqual([]);
    expect(service.stderr).toEqual([
      "sample: invalid configuration:",
      "  - SAMPLE_SIZ is not a variable of this service; did you mean SAMPLE_SIZE?",
      "  - REDIS_URL=(hidden): must be a URL such as redis://host:port/db (scheme: must be redis or rediss)",
      '  - REDIS_PORT="66666": must be a whole number from 1 to 65535',
      expect.stringMatching(/^ {2}- SAMPLE_LOG_LEVEL="loud": must be one of TRACE, .*$/),
      '  - SAMPLE_SIZE="ten": must be a whole number from 1 to 9',
    ]);
  });

  it("refuses a broken relation, and warns of a retired name", async () => {
    const refused = launch(SAMPLE, { SAMPLE_SIZE: "5", SAMPLE_LIMIT: "5" });
    expect(await refused.exited).toEqual({ code: 2, signal: null });
    expect(refused.stderr[1]).toBe("  - SAMPLE_SIZE=5: must be below SAMPLE_LIMIT=5");
    const warned = launch(SAMPLE, { REDIS_URL: "redis://127.0.0.1:1", SAMPLE_OLD: "1" });
    await warned.log("SAMPLE_OLD was known to the Python service only and is ignored");
  });

  it("explains every variable with --help", async () => {
    const service = launch(SAMPLE, {}, ["--help"]);
    expect(await service.exited).toEqual({ code: 0, signal: null });
    const help = service.stdout.join("\n");
    expect(help).toContain("sample: handles entries for tests\n");
    for (const name of ["REDIS_URL", "REDIS_HOST", "HTTP_HOST", "INSTANCE", "SAMPLE_PORT", "SAMPLE_MISSING"])
      expect(help).toMatch(new RegExp(`^  ${name}\n      \\S`, "m"));
    expect(help).toContain("SAMPLE_SIZE\n      a number [3]");
  });

  it("needs no Redis when it is a bare one: its routes answer, and its own stop is called", async () => {
    const service = launch("bare.fixture.ts");
    const url = await service.ready();
    expect(await get(`${url}/hello`)).toMatchObject({ status: 200, body: '{"hello":"world"}' });
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
    service.child.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
    await service.log("its own stop");
  });
});
