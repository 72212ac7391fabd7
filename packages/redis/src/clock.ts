/**
 * Redis's time as this process reckons it, without asking each time: the last reading, carried on by the monotonic
 * clock. A step of the process's own wall clock changes nothing here; one of Redis's is known with the next reading.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisClient } from "./connection.ts";

const READ_EVERY_MS = 1_000;
/** A reading is wrong by half its round trip at most, so one that was slower and fits what is known says nothing new. */
const SLOW_MS = 50;

const clocks = new WeakMap<RedisClient, RedisClock>();

/** Redis's time in whole ms since the epoch; where no {@link RedisClock} runs on the connection, the process's own. */
export function redisNow(redis: RedisClient): number {
  return Math.floor(clocks.get(redis)?.now() ?? Date.now());
}

/** Asks Redis for its time, in whole ms since the epoch: for what compares it to the ms. Others have {@link redisNow}. */
export async function askRedisTime(redis: RedisClient): Promise<number> {
  return wholeMs(await redis.time());
}

/** Of a reply to TIME, which may be part of a pipeline or a transaction. */
export function wholeMs([seconds, micros]: readonly (string | number)[]): number {
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

export class RedisClock {
  readonly #redis: RedisClient;
  readonly #stopping = new AbortController();
  readonly #onReady = () => void this.read();
  /** Redis's time when performance.now() was 0. */
  #originMs: number | undefined;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** Resolves after the first reading, whatever became of it; {@link redisNow} is this clock's from then on. */
  async start(): Promise<void> {
    clocks.set(this.#redis, this);
    // Another connection may lead to another Redis.
    this.#redis.on("ready", this.#onReady);
    await this.read();
    void this.#readRegularly();
  }

  stop(): void {
    this.#stopping.abort();
    this.#redis.off("ready", this.#onReady);
  }

  /** Undefined until a reading has worked. */
  now(): number | undefined {
    return this.#originMs === undefined ? undefined : performance.now() + this.#originMs;
  }

  /** By how much the process's wall clock is ahead of Redis's, in ms. */
  get offsetMs(): number | undefined {
    const now = this.now();
    return now === undefined ? undefined : Date.now() - now;
  }

  /** A Redis that does not answer changes nothing: others say so. */
  async read(): Promise<void> {
    const sentAt = performance.now();
    const time = await this.#redis.time().catch(() => undefined);
    if (time === undefined) return;
    const tookMs = performance.now() - sentAt;
    const [seconds, micros] = time;
    const originMs = Number(seconds) * 1000 + Number(micros) / 1000 - (sentAt + tookMs / 2);
    const fits =
      this.#originMs !== undefined && Math.abs(originMs - this.#originMs) <= (tookMs + SLOW_MS) / 2;
    if (tookMs > SLOW_MS && fits) return;
    this.#originMs = originMs;
  }

  async #readRegularly(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await delay(READ_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      await this.read();
    }
  }
}
