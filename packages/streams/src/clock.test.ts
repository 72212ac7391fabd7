/** A group's entries after Redis's clock was ahead for a while. */
import { createKeys } from "@quantum/contract";
import { connectForBlocking, connectForCommands, disconnect } from "@quantum/redis";
import { canShiftRedisClock, startRedisServer } from "@quantum/harness";
import { expect, it } from "vitest";
import { StreamConsumer } from "./consumer.ts";

const HOUR_MS = 3_600_000;
const STREAM = "stream";
const GROUP = "group";
const RECLAIM_IDLE_MS = 200;

it.skipIf(!(await canShiftRedisClock()))(
  "entries that a dead replica was given while Redis's clock was ahead are taken over soon after it is right",
  async () => {
    const server = await startRedisServer({ clock: true });
    const options = { url: server.url, name: "test", onError: () => undefined };
    const redis = connectForCommands(options);
    await redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
    await server.shiftClock(HOUR_MS);
    const id = await redis.xadd(STREAM, "*", "a", "b");
    await redis.xreadgroup("GROUP", GROUP, "dead", "STREAMS", STREAM, ">");
    await server.shiftClock(0);

    const handled = Promise.withResolvers<string>();
    const consumer = new StreamConsumer({
      redis,
      connectForBlocking: () => connectForBlocking(options),
      keys: createKeys(),
      stream: STREAM,
      group: GROUP,
      consumer: "alive",
      reclaimIdleMs: RECLAIM_IDLE_MS,
      handle: async (entry) => {
        handled.resolve(entry.id);
        return { kind: "ack" };
      },
    });
    await consumer.start();
    expect(await handled.promise).toBe(id);
    await consumer.stop();
    await disconnect(redis);
    await server.stop();
  },
);
