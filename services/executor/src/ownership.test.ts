import { describe, expect, it } from "vitest";
import { LEASE_MS } from "./ownership.ts";
import { executor, keys, redis, until, useRedis, WAIT_MS } from "./ownership.fixture.ts";

useRedis();

describe("an executor alone", () => {
  it("owns the orders once it has started, and keeps its time over a restart", async () => {
    const before = await executor("a");
    expect(before.gate.isOpen).toBe(true);
    expect(before.said).toEqual(["owned"]);
    expect(before.ownership.owner).toBeUndefined();
    const { sinceMs } = before.ownership;
    expect(sinceMs).toBe(Number(await redis.hget(keys.orderOwner, "since_ms")));
    const trustedSinceMs = before.journal.sinceMs;
    await before.stop();
    const after = await executor("a", before.folder);
    expect(after.ownership.sinceMs).toBe(sinceMs);
    expect(after.journal.sinceMs).toBe(trustedSinceMs);
  });

  it("owns from now on what somebody has deleted", async () => {
    const { ownership, gate, said } = await executor("a");
    const { sinceMs = 0 } = ownership;
    await redis.del(keys.orderOwner);
    await until(() => expect(ownership.sinceMs).toBeGreaterThan(sinceMs));
    expect(gate.isOpen).toBe(true);
    expect(said).toEqual(["owned", "owned"]);
  });
});

describe("a second executor", () => {
  it("stands by, is ready, and takes over at once when the first one stops", async () => {
    const first = await executor("a");
    const second = await executor("b", undefined, { aheadMs: 100 });
    expect(second.gate.isOpen).toBe(false);
    expect(second.ownership.sinceMs).toBeUndefined();
    expect(second.ownership.owner).toBe("a");
    expect(second.progress.problems()).toEqual([]);
    expect(second.journal.sinceMs).toBe(Number.POSITIVE_INFINITY);
    await first.stop();
    const stoppedAt = performance.now();
    await until(() => expect(second.gate.isOpen).toBe(true));
    expect(performance.now() - stoppedAt).toBeLessThan(LEASE_MS);
    expect(second.said).toEqual(["stood by for a", "owned"]);
    expect(second.ownership.sinceMs).toBeGreaterThan(first.ownership.sinceMs ?? 0);
    // Not by the reckoned time: plans of the first moments would be held without cause.
    expect(second.journal.sinceMs).toBe(second.ownership.sinceMs);
  });

  it("takes over from one that was killed, after a lease; that one stands by when it is back", async () => {
    const now = Date.now();
    await redis.hset(keys.orderOwner, {
      instance: "a",
      since_ms: now - 60_000,
      seen_ms: now - LEASE_MS + 2_000,
    });
    const second = await executor("b");
    expect(second.ownership.owner).toBe("a");
    await until(() => expect(second.gate.isOpen).toBe(true));
    const first = await executor("a");
    expect(first.ownership.owner).toBe("b");
    expect(first.gate.isOpen).toBe(false);
  });

  it("does not believe what the key says of its own time, if it has stood by since", async () => {
    await executor("a");
    const second = await executor("b");
    const forged = { instance: "b", since_ms: "1", seen_ms: String(Date.now()) };
    await redis.hset(keys.orderOwner, forged);
    await until(() => expect(second.gate.isOpen).toBe(true));
    expect(second.journal.sinceMs).toBeGreaterThan(Date.now() - WAIT_MS);
  });
});

describe("an owner that another one has replaced", () => {
  it("reads no more once it knows", async () => {
    const { gate, ownership, said } = await executor("a");
    const now = Date.now();
    await redis.hset(keys.orderOwner, { instance: "b", since_ms: now, seen_ms: now });
    await until(() => expect(gate.isOpen).toBe(false));
    expect(ownership.sinceMs).toBeUndefined();
    expect(said).toEqual(["owned", "disowned", "stood by for b"]);
  });
});
