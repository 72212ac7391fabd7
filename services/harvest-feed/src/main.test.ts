import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys, parseProposal, partitionOf, planId } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { startRedisServer, startService, type TestRedis } from "@quantum/harness";
import { fieldsOf } from "@quantum/streams";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

const keys = createKeys();
const DEADLINE_MS = 10_000;

let server: TestRedis;
let redis: RedisClient;
let folder: string;

beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  folder = await mkdtemp(join(tmpdir(), "quantum-feed-"));
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => redis.flushall());

const start = (env: Record<string, string>) =>
  startService("harvest-feed", { REDIS_URL: server.url, FEED_METRICS_PORT: "0", ...env });

describe("harvest-feed as a process", () => {
  it("publishes its maximum, says so, and stays up with its metrics until it is stopped", async () => {
    await redis.hset(keys.snapshot("ETHUSDT"), {
      position_amt: "-1.850",
      side: "SHORT",
      entry_price: "3402.15",
      mark_price: "3310.0",
      version: "1",
    });
    const service = await start({
      FEED_MAX: "2",
      FEED_RATE: "100",
      FEED_IN_FLIGHT_PER_SYMBOL: "2",
      FEED_SEED: "7",
    });
    const done = await service.waitForLog(({ msg }) => msg === "feed done", DEADLINE_MS);
    expect(done["published"]).toBe(2);
    expect(service.logs.find(({ msg }) => msg === "feed starts")?.["seed"]).toBe(7);
    expect(await redis.hget(keys.proposal("ETHUSDT"), "source")).toBe("harvest-feed simulated");

    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/quantum_feed_proposals_total\{symbol="ETHUSDT",action="[A-Z_0-9]+"\} \d/);
    expect(metrics).toContain('quantum_feed_in_flight{symbol="ETHUSDT"} 2');
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it("refuses a bad file with its name and the line, and publishes nothing", async () => {
    const file = join(folder, "bad.jsonl");
    await writeFile(
      file,
      '{"symbol":"ADAUSDT","harvest_action":"NONE","kill_score":"0.5"}\n{"symbol":"ADAUSDT"}\n',
    );
    await expect(start({ FEED_FILE: file })).rejects.toThrow(
      `FEED_FILE=${file}: line 2: harvest_action is missing`,
    );
    expect(await redis.exists(keys.streams.proposal, keys.proposal("ADAUSDT"))).toBe(0);
  });

  it("replays a file", async () => {
    const file = join(folder, "good.jsonl");
    await writeFile(file, '{"symbol":"ADAUSDT","harvest_action":"NONE","kill_score":"0.50"}\n');
    const service = await start({ FEED_FILE: file });
    await service.waitForLog(({ msg }) => msg === "feed done", DEADLINE_MS);
    expect(await redis.hgetall(keys.proposal("ADAUSDT"))).toEqual({
      harvest_action: "NONE",
      kill_score: "0.50",
      source: "harvest-feed simulated",
    });
    await service.stop();
  });

  it("follows snapshots and results in every partition, and publishes where publishers do", async () => {
    const server = await startRedisServer({ partitions: 3 });
    onTestFinished(() => server.stop());
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    onTestFinished(() => disconnect(redis));
    const symbols = ["BTCUSDT", "ETHUSDT", "TRXUSDT"];
    expect(new Set(symbols.map((symbol) => partitionOf(symbol, 3)))).toEqual(new Set([0, 1, 2]));
    const keysOf = (symbol: string) => createKeys({ partition: partitionOf(symbol, 3) });
    const position = { position_amt: "1", side: "LONG", entry_price: "100", mark_price: "110", version: "1" };
    for (const symbol of symbols) await redis.hset(keysOf(symbol).snapshot(symbol), position);
    const service = await start({
      REDIS_URL: server.url,
      PARTITIONS: "3",
      FEED_SYMBOLS: symbols.join(),
      FEED_MAX: "6",
      FEED_RATE: "100",
    });
    const answered = new Set<string>();
    // One plan of a symbol at a time, so the second needs the first one's result.
    await vi.waitFor(
      async () => {
        for (const [id, flat] of await redis.xrange(keys.streams.proposal, "-", "+")) {
          if (answered.has(id)) continue;
          answered.add(id);
          const { symbol = "", ...fields } = fieldsOf(flat);
          const read = parseProposal(symbol, fields);
          if (!read.ok) throw new Error(read.problems.join());
          expect(await redis.hgetall(keys.proposal(symbol))).toEqual(fields);
          const result = { plan_id: planId(read.proposal), symbol, executed: "False" };
          await redis.xadd(keysOf(symbol).streams.result, "*", ...Object.entries(result).flat());
        }
        expect(answered.size).toBe(6);
      },
      { timeout: DEADLINE_MS },
    );
    await service.waitForLog(({ msg }) => msg === "feed done", DEADLINE_MS);
    await service.stop();
  });

  it("refuses a misspelt variable", async () => {
    await expect(start({ FEED_RATES: "1" })).rejects.toThrow("did you mean FEED_RATE?");
  });
});
