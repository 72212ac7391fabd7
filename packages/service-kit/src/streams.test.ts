import { Progress } from "./progress.ts";
import { createKeys } from "@quantum/contract";
import { connectForBlocking } from "@quantum/redis";
import { ACK, StreamConsumer } from "@quantum/streams";
import { patienceMs } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import { observeConsumers } from "./stream-telemetry.ts";
import { CONSUMER_IDLE_MS, STREAM_LENGTH, startUpkeep, upkeep } from "./upkeep.ts";

const keys = createKeys();
const STREAM = keys.streams.plan;
const GROUP = "governor";
const LABELS = `stream="${STREAM}",group="${GROUP}"`;

const { redis, server } = await useRedis();
const to = (name: string) => ({ url: server.url, name, onError: () => undefined });
beforeEach(() => redis.flushall());

function logger() {
  const records: Record<string, unknown>[] = [];
  const log = pino({ level: "trace" }, { write: (line) => void records.push(JSON.parse(line) as never) });
  return { log, records };
}

async function fill(stream: string, count: number): Promise<void> {
  const pipeline = redis.pipeline();
  for (let n = 0; n < count; n++) pipeline.xadd(stream, "*", "n", n);
  await pipeline.exec();
}

describe("upkeep", () => {
  const of = (stream: string) => ({ redis, stream, group: GROUP, consumer: "governor@a:8044" });

  it("brings what was read back to the wire's length, keeps what was not, and says so", async () => {
    for (const [stream, lastRead] of [
      ["read", "$"],
      ["unread", "0"],
    ] as const) {
      await fill(stream, STREAM_LENGTH + 1_000);
      await redis.xgroup("CREATE", stream, GROUP, lastRead);
    }
    const { log, records } = logger();
    await upkeep([of("read"), of("unread")], log);
    expect(await redis.xlen("read")).toBe(STREAM_LENGTH);
    expect(await redis.xlen("unread")).toBe(STREAM_LENGTH + 1_000);
    expect(records).toMatchObject([{ stream: "read", trimmed: 1_000, msg: "stream trimmed" }]);
  });

  it("goes on with the other streams when one fails", async () => {
    await redis.set("text", "not a stream");
    await fill("read", STREAM_LENGTH + 1_000);
    await redis.xgroup("CREATE", "read", GROUP, "$");
    const { log, records } = logger();
    await upkeep([of("text"), of("read")], log);
    expect(records).toMatchObject([{ stream: "text", level: 40 }, { stream: "read" }]);
    expect(await redis.xlen("read")).toBe(STREAM_LENGTH);
  });

  it("asks for the length and the consumers, and does nothing else while all is in order", async () => {
    await redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
    await upkeep([of(STREAM)], logger().log);
    await redis.config("RESETSTAT");
    await upkeep([of(STREAM)], logger().log);
    const calls = (await redis.info("commandstats")).match(/cmdstat_[^:]+:calls=\d+/g);
    expect(calls?.filter((call) => !/config|cmdstat_info/.test(call)).toSorted()).toEqual([
      "cmdstat_evalsha:calls=1",
      "cmdstat_xinfo|consumers:calls=1",
      "cmdstat_xlen:calls=1",
    ]);
  });

  it("stops at once", async () => {
    const startedAt = performance.now();
    await startUpkeep([of(STREAM)], logger().log, new Progress()).stop();
    expect(performance.now() - startedAt).toBeLessThan(patienceMs(1_000));
  });

  it("lets a consumer that was idle for less than an hour be", async () => {
    await redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
    await redis.xgroup("CREATECONSUMER", STREAM, GROUP, "governor@b:8044");
    await upkeep([of(STREAM)], logger().log);
    expect(CONSUMER_IDLE_MS).toBeGreaterThan(60_000);
    expect(await redis.xinfo("CONSUMERS", STREAM, GROUP)).toHaveLength(1);
  });
});

describe("what consumers report", () => {
  const entry = { id: "1-1", fields: {}, deliveries: 5 };

  function givenObserved() {
    const registry = new Registry();
    const { log, records } = logger();
    const consumer = new StreamConsumer({
      redis,
      connectForBlocking: () => connectForBlocking(to("blocking")),
      keys,
      stream: STREAM,
      group: GROUP,
      consumer: "governor@a:8044",
      handle: async () => ACK,
    });
    observeConsumers([consumer], registry, log);
    return { registry, records, consumer };
  }

  it("is counted by stream, group and disposition; an entry's id or reason is no label", async () => {
    const { registry, consumer } = givenObserved();
    for (const kind of ["ack", "ack", "done"] as const)
      consumer.emit("handled", { entry, disposition: { kind }, tookMs: 1 });
    consumer.emit("handled", { entry, disposition: { kind: "retry", reason: "no snapshot" }, tookMs: 1 });
    consumer.emit("deadLettered", { entry, reason: "no symbol" });
    consumer.emit("reclaimed", { count: 3 });
    consumer.emit("deleted", { ids: ["1-1", "1-2"] });
    const metrics = await registry.metrics();
    expect(metrics).toContain(`quantum_stream_handled_total{${LABELS},disposition="ack"} 2\n`);
    expect(metrics).toContain(`quantum_stream_handled_total{${LABELS},disposition="done"} 1\n`);
    expect(metrics).toContain(`quantum_stream_handled_total{${LABELS},disposition="retry"} 1\n`);
    expect(metrics).toContain(`quantum_stream_dead_letter_total{${LABELS}} 1\n`);
    expect(metrics).toContain(`quantum_stream_reclaimed_total{${LABELS}} 3\n`);
    expect(metrics).toContain(`quantum_stream_deleted_total{${LABELS}} 2\n`);
    expect(metrics).not.toMatch(/1-1|no snapshot|no symbol/);
  });

  it("is logged once, where something went wrong, with the entry and the reason", () => {
    const { records, consumer } = givenObserved();
    consumer.emit("handled", { entry, disposition: ACK, tookMs: 1 });
    consumer.emit("handled", { entry, disposition: { kind: "dead", reason: "no symbol" }, tookMs: 1 });
    consumer.emit("deadLettered", { entry, reason: "no symbol" });
    consumer.emit("handled", { entry, disposition: { kind: "retry", reason: "no snapshot" }, tookMs: 1 });
    consumer.emit("deleted", { ids: ["1-2"] });
    consumer.emit("group", { created: false });
    consumer.emit("failed", { doing: "read", error: new Error("gone") });
    expect(records).toMatchObject([
      { level: 50, entry: "1-1", reason: "no symbol", stream: STREAM, group: GROUP },
      { level: 40, entry: "1-1", reason: "no snapshot" },
      { level: 50, entries: ["1-2"] },
      { level: 50, msg: "failed to read, trying again", err: { message: "gone" } },
    ]);
  });

  it("tells lag, pending and idle time when it is scraped, and survives a scrape without a group", async () => {
    const { registry } = givenObserved();
    expect(await registry.metrics()).not.toContain(`quantum_stream_lag{`);
    await redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
    await fill(STREAM, 3);
    await redis.xreadgroup("GROUP", GROUP, "killed", "COUNT", 1, "STREAMS", STREAM, ">");
    const metrics = await registry.metrics();
    expect(metrics).toContain(`quantum_stream_lag{${LABELS}} 2\n`);
    expect(metrics).toContain(`quantum_stream_pending{${LABELS}} 1\n`);
    expect(metrics).toMatch(/quantum_stream_oldest_idle_seconds{.*} [\d.]+\n/);
  });
});
