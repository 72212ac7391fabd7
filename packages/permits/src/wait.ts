/**
 * The wait for permits: wake-ups and deadlines of many plans at once.
 *
 * A plan is tried when a wake-up reports that the last issuer answered or that one denied, half-way, and at its exact deadline.
 * Wake-ups are hints: losing one costs time, never safety. Issuers that only set keys are found by {@link KeyPoll}. All
 * state that matters is in Redis, so a plan that is lost here is finished by the sweep of any replica.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Keys, NameOf, PermitEntry, planRecord } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Consume, Consumed, Verdict } from "./consume.ts";
import { KeyPoll } from "./key-poll.ts";

/** A failed try (Redis unreachable) is repeated after this long. */
const RETRY_MS = 250;
/** Interval of the check for waiting plans while a process stops. */
const DRAIN_STEP_MS = 50;

export interface WaitOptions {
  redis: RedisClient;
  keys: Keys;
  required: readonly string[];
  consume: Consume;
  /** `APPLY_PERMIT_STEP_MS`. */
  stepMs: number;
}

interface Waiting {
  symbol: string;
  /**
   * When the wait ends by performance.now(), once known. Redis's clock may step in the meantime; the plan ends when the
   * earlier of the two clocks says so.
   */
  endsAt: number | undefined;
  /** For the next look: half-way, then at the deadline. */
  timer: NodeJS.Timeout;
}

export interface WaitEvents {
  /** This process reached the verdict. Exactly once per verdict across all replicas. */
  verdict: [Verdict];
  /** A try failed and will be repeated. */
  failed: [{ planId: string; error: Error }];
  /** A try succeeded after failed ones. */
  recovered: [{ planId: string }];
}

export class PermitWait extends EventEmitter<WaitEvents> {
  readonly #options: WaitOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #tries = new Map<string, Promise<void>>();
  readonly #failing = new Set<string>();
  readonly #keyPoll: KeyPoll;
  #stopped = false;

  constructor(options: WaitOptions) {
    super();
    this.#options = options;
    this.#keyPoll = new KeyPoll({
      ...options,
      onChange: (planId) => {
        const symbol = this.#waiting.get(planId)?.symbol;
        if (symbol !== undefined) void this.wake(planId, symbol);
      },
      onFailure: (planId, error) => void this.emit("failed", { planId, error }),
    });
  }

  /** Plans that wait in this process. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for a plan until its deadline, in `remainingMs`. Watching it again has no effect. */
  watch(planId: string, symbol: string, remainingMs: number): void {
    this.#watch(planId, symbol, remainingMs);
  }

  #watch(planId: string, symbol: string, remainingMs: number | undefined): void {
    if (this.#stopped || this.#waiting.has(planId)) return;
    // First half-way, so that a lost wake-up does not cost the whole wait.
    const timer = setTimeout(() => void this.#halfWay(planId, symbol), Math.max(0, (remainingMs ?? 0) / 2));
    this.#waiting.set(planId, { symbol, endsAt: endOf(performance.now(), remainingMs), timer });
    this.#keyPoll.watch(planId);
  }

  /**
   * Handles an issuer's wake-up. If other issuers have yet to answer and all send wake-ups, the plan is not tried yet:
   * a try would only find that it must wait, and the last answer sends another wake-up. This holds for a plan that another
   * replica opened, too: of two replicas each gets half of the wake-ups, whoever watches the plan. If that replica died and the
   * last wake-up is lost, the sweep ends the plan.
   */
  async answered({ plan_id, symbol, issuer, verdict, answers }: PermitEntry): Promise<void> {
    const { required } = this.#options;
    this.#keyPoll.wokenBy(issuer);
    const lacks = verdict === "granted" && answers !== "" && answers < required.length;
    if (lacks && this.#keyPoll.silentIssuers().length === 0) return;
    await this.wake(plan_id, symbol);
  }

  /** Tries a plan now: its issuers answered, its deadline came, or a sweep found it. Resolves when the try is over. */
  async wake(planId: string, symbol: string): Promise<void> {
    // One try per plan at a time. After a wake-up during a try, try again, because the first may have read old state.
    const before = this.#tries.get(planId);
    const current = (before ?? Promise.resolve()).then(() => this.#try(planId, symbol));
    this.#tries.set(planId, current);
    await current;
    if (this.#tries.get(planId) === current) this.#tries.delete(planId);
  }

  /**
   * Ends the plans waiting here, without wake-ups, for at most `longestMs`. After a stop, there may be no other process
   * to end them in time.
   */
  async drain(longestMs: number): Promise<void> {
    const until = performance.now() + longestMs;
    while (this.#waiting.size > 0 && performance.now() < until) {
      await Promise.all([...this.#waiting].map(([planId, { symbol }]) => this.wake(planId, symbol)));
      if (this.#waiting.size > 0) await delay(DRAIN_STEP_MS);
    }
  }

  /** Lets running tries finish. Another replica, or this one after a restart, finishes the plans still waiting. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    await this.#keyPoll.stop();
    await Promise.all(this.#tries.values());
  }

  /** Another replica, which got the last wake-up, may have ended the plan long ago. To read that costs less than a try. */
  async #halfWay(planId: string, symbol: string): Promise<void> {
    const { redis, keys } = this.#options;
    const name: NameOf<typeof planRecord> = "state";
    const state = await redis.hget(keys.plan(planId), name).catch(() => null);
    const hasEnded = state !== null && state !== "WAITING" && !this.#failing.has(planId);
    if (hasEnded) this.#forget(planId);
    else await this.wake(planId, symbol);
  }

  async #try(planId: string, symbol: string): Promise<void> {
    if (this.#stopped) return;
    let consumed: Consumed;
    try {
      const waiting = this.#waiting.get(planId);
      const overdueMs = waiting?.endsAt === undefined ? undefined : performance.now() - waiting.endsAt;
      consumed = await this.#options.consume(planId, symbol, overdueMs);
    } catch (error) {
      this.#failing.add(planId);
      this.emit("failed", { planId, error: error as Error });
      await delay(RETRY_MS);
      this.#rearm(planId, symbol, undefined);
      return;
    }
    if (this.#failing.delete(planId)) this.emit("recovered", { planId });
    if (consumed.kind === "waiting") {
      this.#rearm(planId, symbol, consumed.remainingMs);
      return;
    }
    this.#forget(planId);
    if (consumed.kind === "verdict" && !consumed.replayed) this.emit("verdict", consumed.verdict);
  }

  /** @param remainingMs undefined after a failed try: retry soon, because the remaining wait is unknown */
  #rearm(planId: string, symbol: string, remainingMs: number | undefined): void {
    const waiting = this.#waiting.get(planId);
    if (waiting === undefined) {
      this.#watch(planId, symbol, remainingMs);
      return;
    }
    clearTimeout(waiting.timer);
    waiting.endsAt ??= endOf(performance.now(), remainingMs);
    if (!this.#stopped) waiting.timer = setTimeout(() => void this.wake(planId, symbol), remainingMs ?? 0);
  }

  #forget(planId: string): void {
    clearTimeout(this.#waiting.get(planId)?.timer);
    this.#waiting.delete(planId);
    this.#keyPoll.forget(planId);
  }
}

function endOf(since: number, remainingMs: number | undefined): number | undefined {
  return remainingMs === undefined ? undefined : since + remainingMs;
}
