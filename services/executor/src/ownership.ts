/**
 * One executor at a time owns the orders of a partition. It renews a lease there (`lua/leases/own`); the others stand by and read
 * nothing of it. Each partition has a lease of its own, so that one which is away costs the others nothing (docs/adr/0039). An
 * executor that takes over cannot know what its predecessor sent, so it only queries orders whose permits are older than the
 * takeover (ask-first.ts).
 *
 * The scripts use Redis's clock, and each claim checks the owner. Intervals in this process are monotonic.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import {
  askForLease,
  leaveLease,
  type LeaseRequest,
  partitionsText,
  type Watched,
} from "@quantum/service-kit";
import type { Gate } from "@quantum/streams";
import type { ExecutorEvents } from "./events.ts";
import type { PartitionJournal } from "./journal.ts";

/** After this silence another executor takes over. Two renewals and a command's deadline fit in. */
export const LEASE_MS = 6_000;
const RENEW_EVERY_MS = 2_000;
/** How often an executor that stands by asks: it takes over soon after the owner has left. */
const LOOK_EVERY_MS = 1_000;

export interface OwnershipOptions {
  redis: RedisClient;
  keys: Keys;
  /** Stable across restarts. */
  instance: string;
  journal: Pick<PartitionJournal, "othersSend" | "onlyThisSends">;
  /** Open while this executor is the owner. */
  gate: Gate;
  events: ExecutorEvents;
}

/** For /readyz: for whom it stands by, and where that is not everywhere, in which partitions. */
export function standbyNote(
  partitions: readonly { name: string; ownership: Pick<Ownership, "owner"> }[],
): string[] {
  const standing = partitions.filter(({ ownership }) => ownership.owner !== undefined);
  const byOwner = Map.groupBy(standing, ({ ownership }) => ownership.owner);
  return [...byOwner].map(([owner, owned]) => {
    const isAll = owned.length === partitions.length;
    return `standing by for ${owner}${isAll ? "" : ` in ${partitionsText(owned.map(({ name }) => name))}`}`;
  });
}

export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** When the last successful renewal was sent, by performance.now(). */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #sinceMs: number | undefined;
  #owner: string | undefined;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** Since when it has owned the orders, in ms by Redis's clock; undefined while it does not own them. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  /** The other executor that this one stands by for. */
  get owner(): string | undefined {
    return this.#owner;
  }

  /** Resolves after the first attempt. */
  async start(progress: Watched): Promise<void> {
    const ask = progress.loop("ask who owns the orders", RENEW_EVERY_MS, () => this.#ask());
    await ask().catch((error: unknown) => this.#failed(error));
    this.#running = this.#renew(ask);
  }

  /** Gives up the ownership, so that another executor takes over at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const { redis } = this.#options;
    await leaveLease(redis, this.#lease).catch((error: unknown) => this.#failed(error));
  }

  async #renew(ask: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      const pauseMs = this.#sinceMs === undefined ? LOOK_EVERY_MS : RENEW_EVERY_MS;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await ask().catch((error: unknown) => this.#failed(error));
    }
  }

  async #ask(): Promise<void> {
    const askedAt = performance.now();
    const answer = await askForLease(this.#options.redis, this.#lease);
    if (answer.kind === "owned") await this.#own(answer, askedAt);
    else await this.#standBy(answer.owner);
  }

  async #own({ sinceMs, nowMs }: { sinceMs: number; nowMs: number }, askedAt: number): Promise<void> {
    const { journal, gate, events } = this.#options;
    await journal.onlyThisSends(nowMs);
    const isNew = this.#sinceMs !== sinceMs;
    this.#renewedAt = askedAt;
    this.#sinceMs = sinceMs;
    this.#owner = undefined;
    if (isNew) events.emit("owned", { sinceMs });
    gate.open();
  }

  async #standBy(owner: string): Promise<void> {
    const { journal, events } = this.#options;
    this.#leave();
    const isNew = this.#owner !== owner;
    this.#owner = owner;
    if (isNew) events.emit("stoodBy", { owner });
    await journal.othersSend();
  }

  /** Without an answer for a whole lease, another executor may own the orders by now. */
  #failed(error: unknown): void {
    const { events } = this.#options;
    events.emit("failed", { doing: "ask who owns the orders", error: error as Error });
    if (performance.now() - this.#renewedAt > LEASE_MS) this.#leave();
  }

  #leave(): void {
    const { gate, events } = this.#options;
    gate.shut();
    if (this.#sinceMs === undefined) return;
    this.#sinceMs = undefined;
    events.emit("disowned", {});
  }

  get #lease(): LeaseRequest {
    const { keys, instance } = this.#options;
    return { key: keys.orderOwner, instance, leaseMs: LEASE_MS };
  }
}
