/** What Redis refuses to a service that has started: it goes on, and is not ready until the refusal is taken back. */
import { connectForCommands, disconnect } from "@quantum/redis";
import { startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { get, launch } from "./launch.fixture.ts";

const SAMPLE = "sample.fixture.ts";
const WAIT = { timeout: 15_000, interval: 20 };

describe("a refusal after the start", () => {
  it("of the right to read is told at once with its reason", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    onTestFinished(() => disconnect(redis));
    await redis.acl("SETUSER", "worker", "on", ">secret", "~*", "+@all");
    const url = await launch(SAMPLE, {
      REDIS_URL: `redis://worker:secret@127.0.0.1:${server.port}`,
    }).ready();
    await redis.acl("SETUSER", "worker", "-xreadgroup");
    const problem = "NOPERM this user has no permissions to run the 'xreadgroup' command";
    await vi.waitFor(async () => expect((await get(`${url}/readyz`)).body).toContain(problem), WAIT);
    await redis.acl("SETUSER", "worker", "+xreadgroup");
    await vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);
  });

  it("makes the service unready with the reason, until it is taken back", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    onTestFinished(() => disconnect(redis));
    const url = await launch(SAMPLE, { REDIS_URL: server.url }).ready();
    await redis.config("SET", "requirepass", "new");
    await redis.client("KILL", "TYPE", "normal", "SKIPME", "yes");
    const problem = "REDIS_URL: Redis wants a password: give it in the URL (NOAUTH Authentication required.)";
    await vi.waitFor(async () => expect((await get(`${url}/readyz`)).body).toContain(problem), WAIT);
    expect(await get(`${url}/healthz`)).toMatchObject({ status: 200 });
    await redis.config("SET", "requirepass", "");
    await vi.waitFor(async () => expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 }), WAIT);
  });
});
