/** The lease of what only one instance of a service may do; the typed wrapper of `lua/leases/own.lua`. */
import { bindScript, type RedisClient } from "@quantum/redis";

const run = bindScript("leases/own");

export interface LeaseRequest {
  /** The key that names the owner. */
  key: string;
  /** Unique, and stable across restarts. */
  instance: string;
  /** How long an owner may be silent before another one takes over. */
  leaseMs: number;
}

export type LeaseAnswer =
  /** The caller is the owner; since when, and at which time this was said, in ms by Redis's clock. */
  | { kind: "owned"; sinceMs: number; nowMs: number }
  /** Another one is. */
  | { kind: "standby"; owner: string };

/** Takes the lease, or renews it. */
export async function askForLease(redis: RedisClient, request: LeaseRequest): Promise<LeaseAnswer> {
  const [status, detail = "", now] = await call(redis, request, "0");
  return status === "OWNED"
    ? { kind: "owned", sinceMs: Number(detail), nowMs: Number(now) }
    : { kind: "standby", owner: detail };
}

/** Gives the lease up, so that the next one that asks gets it. */
export async function leaveLease(redis: RedisClient, request: LeaseRequest): Promise<void> {
  await call(redis, request, "1");
}

function call(
  redis: RedisClient,
  { key, instance, leaseMs }: LeaseRequest,
  leaves: "0" | "1",
): Promise<string[]> {
  return run(redis, { keys: { owner: key }, args: { instance, lease_ms: String(leaseMs), leaves } });
}
