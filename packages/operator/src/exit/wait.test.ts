import { useRedis } from "@quantum/harness/vitest";
import { expect, it, vi } from "vitest";
import { withAccess } from "../access.ts";
import { forgetfulMs, waitForMemory } from "./wait.ts";

const { server, redis } = await useRedis();

it.each([
  [undefined, 50_000, 0],
  [50_000, 50_000, 7_000],
  [50_000, 56_500, 500],
  [50_000, 57_000, 0],
])("a connection that came back at %o keeps a plan at %d for %d ms", (backAt, nowAt, waitMs) => {
  expect(forgetfulMs(backAt, nowAt)).toBe(waitMs);
});

it("knows of a connection that came back, and waits no longer than the operator", async () => {
  await withAccess({ url: server.url, name: "permitctl" }, async (access) => {
    expect(access.backAt()).toBeUndefined();
    await redis.client("KILL", "TYPE", "normal", "SKIPME", "yes");
    await vi.waitUntil(() => access.backAt() !== undefined);
    const stop = new AbortController();
    for await (const { why, waitMs } of waitForMemory(access, stop.signal)) {
      expect(why).toContain("Redis was away");
      expect(waitMs).toBeGreaterThan(5_000);
      stop.abort();
    }
  });
});
