/**
 * One replica books the account's events. It renews a lease in Redis (`lua/leases/own.lua`); the others stand by, decide from
 * the stored pairs, and take over when it has been silent. A lease that this process could not renew is over here before it
 * is over in Redis, by the monotonic clock.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { askForLease, leaveLease, type LeaseRequest } from "@quantum/service-kit";

/** Another replica takes over after this silence. With a look and a reading of the account that is within 5 s. */
export const LEASE_MS = 3_000;
const RENEW_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 500;

export interface LeaseEvents {
  /** This replica books from now on, and does not know what happened before. */
  owned: [];
  /** Another one does, or none can be asked. */
  lost: [];
  failed: [Error];
}

export interface LeaseOptions {
  redis: RedisClient;
  keys: Keys;
  /** Unique, and stable across restarts. */
  instance: string;
}

export class Lease extends EventEmitter<LeaseEvents> {
  readonly #options: LeaseOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #sinceMs: number | undefined;
  /** When the last successful renewal was sent, by performance.now(). */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #owner: string | undefined;

  constructor(options: LeaseOptions) {
    super();
    this.#options = options;
  }

  get isOwner(): boolean {
    return this.#sinceMs !== undefined && performance.now() - this.#renewedAt < LEASE_MS;
  }

  /** The replica that this one stands by for. */
  get owner(): string | undefined {
    return this.#owner;
  }

  /** Resolves after the first attempt. */
  async start(): Promise<void> {
    await this.#ask();
    this.#running = this.#run();
  }

  /** Gives the lease up, so that another replica takes over at its next look. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#leave();
    const { redis } = this.#options;
    await leaveLease(redis, this.#request).catch((error: unknown) => this.emit("failed", error as Error));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      const pauseMs = this.isOwner ? RENEW_EVERY_MS : LOOK_EVERY_MS;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#ask();
    }
  }

  async #ask(): Promise<void> {
    const askedAt = performance.now();
    try {
      const answer = await askForLease(this.#options.redis, this.#request);
      if (answer.kind === "owned") this.#own(answer.sinceMs, askedAt);
      else {
        this.#owner = answer.owner;
        this.#leave();
      }
    } catch (error) {
      this.emit("failed", error as Error);
      if (!this.isOwner) this.#leave();
    }
  }

  #own(sinceMs: number, askedAt: number): void {
    // After a lapse, others may have stored what is not known here.
    const isNew = !this.isOwner || this.#sinceMs !== sinceMs;
    this.#sinceMs = sinceMs;
    this.#renewedAt = askedAt;
    this.#owner = undefined;
    if (isNew) this.emit("owned");
  }

  #leave(): void {
    if (this.#sinceMs === undefined) return;
    this.#sinceMs = undefined;
    this.emit("lost");
  }

  get #request(): LeaseRequest {
    const { keys, instance } = this.#options;
    return { key: keys.booker, instance, leaseMs: LEASE_MS };
  }
}
