/** For tests of ownership: executors that share a Redis, without their orders. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { patienceMs, startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { Progress } from "@quantum/service-kit";
import { Gate } from "@quantum/streams";
import { afterAll, beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import { createEvents } from "./events.ts";
import { Journal } from "./journal.ts";
import { LEASE_MS, Ownership } from "./ownership.ts";

export const keys = createKeys();
/** A takeover needs at most a lease and one check. */
export const WAIT_MS = patienceMs(LEASE_MS + 4_000);
let server: TestRedis;
export let redis: RedisClient;
let dir: string;
export function useRedis(): void {
  beforeAll(async () => {
    server = await startRedisServer();
    redis = connect();
    dir = await mkdtemp(join(tmpdir(), "quantum-owner-"));
  });
  afterAll(async () => {
    await disconnect(redis);
    await server.stop();
    await rm(dir, { recursive: true });
  });
  beforeEach(() => redis.flushall());
}

const connect = () => connectForCommands({ url: server.url, name: "test", onError: () => undefined });
export const until = (condition: () => void | Promise<void>) =>
  vi.waitFor(condition, { timeout: WAIT_MS, interval: 10 });

let folders = 0;
/** One executor's part, started. It reckons Redis's time to be this far ahead of what it is. */
export async function executor(
  instance: string,
  folder = join(dir, String((folders += 1))),
  { aheadMs = 0 }: { aheadMs?: number } = {},
) {
  const own = connect();
  const file = await Journal.open({ folder, partitions: 1, redisNowMs: () => Date.now() + aheadMs });
  const journal = file.of(0);
  const gate = new Gate({ isOpen: false });
  const events = createEvents();
  const said: string[] = [];
  events.on("owned", () => said.push("owned"));
  events.on("stoodBy", ({ owner }) => said.push(`stood by for ${owner}`));
  events.on("disowned", () => said.push("disowned"));
  const progress = new Progress();
  const ownership = new Ownership({ redis: own, keys, instance, journal, gate, events });
  await ownership.start(progress);
  progress.begin();
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await ownership.stop();
    await file.close();
    await disconnect(own);
  };
  onTestFinished(stop);
  return { ownership, journal, gate, said, progress, folder, stop, redis: own };
}
