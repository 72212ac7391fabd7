import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startRedisServer, type TestRedis } from "./redis-server.ts";

const run = promisify(execFile);

/** Uses redis-cli, because this package has no client of its own. */
async function command(redis: TestRedis, ...args: string[]): Promise<string> {
  const { stdout } = await run(redis.binary.cli ?? "redis-cli", ["-p", `${redis.port}`, ...args]);
  return stdout.trim();
}

describe("a redis-server with an append-only file", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedisServer({ appendonly: true, appendfsync: "always" });
  });
  afterAll(() => redis.stop());

  it("accepts commands once it has started", async () => {
    expect(await command(redis, "PING")).toBe("PONG");
    expect(await command(redis, "CONFIG", "GET", "appendfsync")).toContain("always");
  });

  it("keeps its data and port when it is killed and restarted", async () => {
    await command(redis, "SET", "kept", "yes");
    const { pid, url } = redis;
    await redis.kill();
    await redis.restart();
    expect(redis.pid).not.toBe(pid);
    expect(redis.url).toBe(url);
    expect(await command(redis, "GET", "kept")).toBe("yes");
  });

  it("answers nothing while paused, and what it was asked then once resumed", async () => {
    const other = await startRedisServer();
    onTestFinished(() => other.stop());
    redis.pause();
    let answered = false;
    const answer = command(redis, "PING").finally(() => {
      answered = true;
    });
    expect(await command(other, "PING")).toBe("PONG");
    expect(answered).toBe(false);
    redis.resume();
    expect(await answer).toBe("PONG");
  });
});

describe("a redis-server", () => {
  it("runs beside others, each with its own data", async () => {
    const [one, two] = await Promise.all([startRedisServer(), startRedisServer()]);
    await command(one, "SET", "key", "one");
    expect(await command(two, "GET", "key")).toBe("");
    await Promise.all([one.stop(), two.stop()]);
  });

  it("removes its temporary folder when it stops, also while paused", async () => {
    const redis = await startRedisServer();
    redis.pause();
    await redis.stop();
    await expect(access(redis.dir)).rejects.toThrow("ENOENT");
  });

  it("says why it did not start", async () => {
    await expect(startRedisServer({ config: { "no-such-setting": "1" } })).rejects.toThrow(/no-such-setting/);
  });
});
