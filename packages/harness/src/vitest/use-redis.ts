/** A private Redis for a test file, with a client. Both end after the file's tests. */
import { connectForCommands, disconnect } from "@quantum/redis";
import { afterAll } from "vitest";
import { type RedisServerOptions, startRedisServer } from "../servers/redis-server.ts";

/** Call this at the top of the file. Tests that need an empty Redis call `flushall` before each test. */
export async function useRedis(options: RedisServerOptions = {}) {
  const server = await startRedisServer(options);
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  afterAll(async () => {
    await disconnect(redis);
    await server.stop();
  });
  return { server, redis };
}
