/**
 * Finds the answers of issuers that only set keys and send no wake-up (the Python ones): once a step it checks whether keys
 * of the waiting plans have appeared. If nothing waits, or every issuer has sent a wake-up lately, it sends no command.
 * It only counts keys; only `consume` reads permits.
 */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** One poll checks this many of the longest-waiting plans, which limits the cost of a step. */
const POLLED_PLANS_MAX = 1_000;
/** An issuer whose last wake-up is older may have been replaced by one that only sets keys. */
const WAKER_MEMORY_MS = 10_000;

export interface KeyPollOptions {
  redis: RedisClient;
  keys: Keys;
  required: readonly string[];
  stepMs: number;
  /** A plan's keys have appeared or disappeared. */
  onChange: (planId: string) => void;
  /** A poll that included this plan failed. The next one follows after a step. */
  onFailure: (planId: string, error: Error) => void;
}

export class KeyPoll {
  readonly #options: KeyPollOptions;
  /** How many permit and block keys of each waiting plan existed at the last poll, longest-waiting first. */
  readonly #keysSeen = new Map<string, number>();
  /** When each required issuer last woke us, by performance.now(). */
  readonly #wokenAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;

  constructor(options: KeyPollOptions) {
    this.#options = options;
  }

  watch(planId: string): void {
    this.#keysSeen.set(planId, 0);
    this.#timer ??= setInterval(() => {
      // While Redis is slow, polls must not pile up.
      this.#polling ??= this.#poll().finally(() => (this.#polling = undefined));
    }, this.#options.stepMs);
  }

  forget(planId: string): void {
    this.#keysSeen.delete(planId);
    if (this.#keysSeen.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  wokenBy(issuer: string): void {
    if (this.#options.required.includes(issuer)) this.#wokenAtMs.set(issuer, performance.now());
  }

  /** The required issuers that have not woken us lately: they may only set keys. */
  silentIssuers(): string[] {
    const since = performance.now() - WAKER_MEMORY_MS;
    return this.#options.required.filter((name) => (this.#wokenAtMs.get(name) ?? -Infinity) <= since);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#polling;
  }

  async #poll(): Promise<void> {
    const { redis, keys, onChange, onFailure } = this.#options;
    const silent = this.silentIssuers();
    if (silent.length === 0) return;
    const planIds: string[] = [];
    for (const planId of this.#keysSeen.keys()) {
      if (planIds.length === POLLED_PLANS_MAX) break;
      planIds.push(planId);
    }
    if (planIds.length === 0) return;
    const pipeline = redis.pipeline();
    for (const planId of planIds) {
      pipeline.exists(
        ...silent.flatMap((issuer) => [keys.permit(issuer, planId), keys.block(issuer, planId)]),
      );
    }
    const replies = await pipeline.exec().catch((error: unknown) => {
      onFailure(planIds[0] ?? "", error as Error);
      return null;
    });
    for (const [index, planId] of planIds.entries()) {
      const seen = replies?.[index]?.[1];
      // The wait may have ended in the meantime.
      if (typeof seen !== "number" || (this.#keysSeen.get(planId) ?? seen) === seen) continue;
      this.#keysSeen.set(planId, seen);
      onChange(planId);
    }
  }
}
