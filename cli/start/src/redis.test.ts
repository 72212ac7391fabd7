import { startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished } from "vitest";
import { useRedis } from "./redis.ts";

async function givenServer(config: Record<string, string> = {}) {
  const server = await startRedisServer({ config });
  onTestFinished(() => server.stop());
  return server;
}

describe("a Redis of the caller's", () => {
  it("is taken when it is empty", async () => {
    const { url, port } = await givenServer();
    expect(await useRedis(`${url}/3`, 1)).toMatchObject({ url: `${url}/3`, port });
  });

  it("is refused with what it says where the services could not work on it", async () => {
    const { url, port } = await givenServer();
    await expect(useRedis(`${url}/16`, 1)).rejects.toThrow(
      `--redis-url ${url}/16 cannot be used: ERR DB index is out of range`,
    );
    const cluster = await givenServer({ "cluster-enabled": "yes" });
    await expect(useRedis(cluster.url, 1)).rejects.toThrow("redis_mode is cluster");
    const replica = await givenServer({ replicaof: `127.0.0.1 ${port}` });
    await expect(useRedis(replica.url, 1)).rejects.toThrow("role is slave, must be master");
    const locked = await givenServer({ requirepass: "right" });
    await expect(useRedis(locked.url, 1)).rejects.toThrow("NOAUTH Authentication required.");
  });
});
