import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBacklog } from "./backlog.ts";

const keys = createKeys();
const MAX = 3;
let server: TestRedis;
let redis: RedisClient;
beforeEach(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "backlog", onError: () => undefined });
});
afterEach(async () => {
  await disconnect(redis);
  await server.stop();
});

const create = () => createBacklog({ redis, keys, required: ["governor", "p33"], max: MAX });

async function publish(stream: string, group: string, count: number): Promise<void> {
  await redis.xgroup("CREATE", stream, group, "0", "MKSTREAM");
  for (let i = 0; i < count; i++) await redis.xadd(stream, "*", "n", String(i));
}

describe("the backlog", () => {
  it("is not full where nobody has published or reads", async () => {
    expect(await create()()).toBe(false);
  });

  it.each([
    ["an issuer", keys.streams.plan, "p33"],
    ["the executor", keys.streams.execute, "executor"],
  ])("is full when %s is more than the limit behind, and no earlier", async (_, stream, group) => {
    await publish(stream, group, MAX);
    expect(await create()()).toBe(false);
    await redis.xadd(stream, "*", "n", "one more");
    expect(await create()()).toBe(true);
  });

  it("counts what was read and not acknowledged, and is over once it is acknowledged", async () => {
    await publish(keys.streams.plan, "governor", MAX + 1);
    const read = await redis.xreadgroup(
      "GROUP",
      "governor",
      "me",
      "COUNT",
      10,
      "STREAMS",
      keys.streams.plan,
      ">",
    );
    expect(await create()()).toBe(true);
    const [[, entries]] = read as [[string, [string, string[]][]]];
    await redis.xack(keys.streams.plan, "governor", ...entries.map(([id]) => id));
    expect(await create()()).toBe(false);
  });

  it("counts for itself where Redis counts too many, as a promoted replica does", async () => {
    const { plan } = keys.streams;
    await publish(plan, "p33", 5 * MAX);
    await redis.xreadgroup("GROUP", "p33", "me", "COUNT", 4 * MAX, "NOACK", "STREAMS", plan, ">");
    const [delivered] = (await redis.xrange(plan, "-", "+", "COUNT", 4 * MAX)).slice(-1);
    await redis.call("XGROUP", "SETID", plan, "p33", delivered?.[0] ?? "", "ENTRIESREAD", 1);
    const [flat] = (await redis.xinfo("GROUPS", plan)) as unknown[][];
    expect(flat?.[flat.indexOf("lag") + 1]).toBeGreaterThan(4 * MAX);
    expect(await create()()).toBe(false);
    await redis.xadd(plan, "*", "n", "one more");
    expect(await create()()).toBe(true);
  });

  it("counts for itself where Redis has lost count after an XDEL", async () => {
    await publish(keys.streams.plan, "p33", MAX + 3);
    await redis.xreadgroup("GROUP", "p33", "me", "COUNT", 1, "NOACK", "STREAMS", keys.streams.plan, ">");
    const entries = await redis.xrange(keys.streams.plan, "-", "+");
    await redis.xdel(keys.streams.plan, entries[2]?.[0] ?? "");
    const [flat] = (await redis.xinfo("GROUPS", keys.streams.plan)) as unknown[][];
    expect(flat?.[flat.indexOf("lag") + 1]).toBeNull();
    expect(await create()()).toBe(true);
    await redis.xdel(keys.streams.plan, entries[3]?.[0] ?? "");
    expect(await create()()).toBe(false);
  });

  it("asks Redis once for a burst of questions", async () => {
    await publish(keys.streams.plan, "governor", MAX + 1);
    const isFull = create();
    await redis.config("RESETSTAT");
    expect(await Promise.all(Array.from({ length: 100 }, isFull))).not.toContain(false);
    const stats = await redis.info("commandstats");
    expect(Number(/cmdstat_xinfo[^:]*:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(3);
  });

  it("is not waited for after a pause: the answer before counts until the new one is there", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const isFull = create();
    expect(await isFull()).toBe(false);
    await publish(keys.streams.plan, "governor", MAX + 1);
    now.mockReturnValue(60_000);
    expect(await isFull()).toBe(false);
    await vi.waitFor(async () => expect(await isFull()).toBe(true));
    // What was full is asked again, and waited for.
    await redis.del(keys.streams.plan);
    now.mockReturnValue(120_000);
    expect(await isFull()).toBe(false);
    now.mockRestore();
  });

  it("lets an unreadable group stop the plans after it became so", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const isFull = create();
    expect(await isFull()).toBe(false);
    await redis.set(keys.streams.plan, "not a stream");
    now.mockReturnValue(60_000);
    expect(await isFull()).toBe(false);
    await vi.waitFor(() => expect(isFull()).rejects.toThrow("WRONGTYPE"));
    now.mockRestore();
  });

  it("lets an unreadable group stop the plan: an error is not an empty queue", async () => {
    await redis.set(keys.streams.plan, "not a stream");
    await expect(create()()).rejects.toThrow("WRONGTYPE");
  });
});
