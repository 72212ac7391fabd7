/** Who books the account's events, by two replicas' leases on a real Redis. This process's clock is the test's. */
import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Lease, LEASE_MS } from "./lease.ts";

const keys = createKeys();
const { redis } = await useRedis();
const leases: Lease[] = [];

/** A lease, and what it has told. */
async function leaseOf(instance: string) {
  const lease = new Lease({ redis, keys, instance });
  const told: string[] = [];
  for (const name of ["owned", "lost", "failed"] as const) lease.on(name, () => told.push(name));
  leases.push(lease);
  await lease.start();
  return { lease, told };
}
/** Another replica was last seen so long ago. */
async function seen(instance: string, agoMs: number): Promise<void> {
  const [seconds] = await redis.time();
  const seenMs = Number(seconds) * 1_000 - agoMs;
  await redis.hset(keys.booker, { instance, since_ms: seenMs, seen_ms: seenMs });
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  await redis.flushall();
});
afterEach(async () => {
  await Promise.all(leases.splice(0).map((lease) => lease.stop()));
  vi.useRealTimers();
});

it("is one replica's, and the other one names it", async () => {
  const [first, second] = [await leaseOf("brain-1"), await leaseOf("brain-2")];
  expect([first.lease.isOwner, second.lease.isOwner]).toEqual([true, false]);
  expect(second.lease.owner).toBe("brain-1");
  expect([first.told, second.told]).toEqual([["owned"], []]);
});

it("is over for a replica that stood still for its length, before anybody tells it", async () => {
  const { lease, told } = await leaseOf("brain-1");
  vi.advanceTimersByTime(LEASE_MS - 1);
  expect(lease.isOwner).toBe(true);
  vi.advanceTimersByTime(1);
  expect(lease.isOwner).toBe(false);
  await seen("brain-2", 0);
  await expect.poll(() => told, { timeout: 10_000 }).toEqual(["owned", "lost"]);
});

it("begins again for a replica that stood still, even if nobody had taken over", async () => {
  const { lease, told } = await leaseOf("brain-1");
  vi.advanceTimersByTime(LEASE_MS);
  await expect.poll(() => told, { timeout: 10_000 }).toEqual(["owned", "owned"]);
  expect(lease.isOwner).toBe(true);
});

it("is taken over from a replica that is no longer seen", async () => {
  await seen("brain-1", LEASE_MS + 1_000);
  const { lease, told } = await leaseOf("brain-2");
  expect(lease.isOwner).toBe(true);
  expect(told).toEqual(["owned"]);
});
