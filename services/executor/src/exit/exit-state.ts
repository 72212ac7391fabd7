/**
 * `quantum:exit`: whether operators could exit now, for `permitctl status` and whoever watches. The owner of the orders
 * writes it: after the start, when the operators' keys change, and regularly, so that an old value shows.
 */
import type { Keys } from "@quantum/contract";
import { dropMistyped } from "@quantum/permits";
import type { RedisClient } from "@quantum/redis";
import { every } from "@quantum/service-kit";
import type { ExecutorEvents } from "../events.ts";
import type { Ownership } from "../ownership.ts";
import type { ExitTrust } from "./verify-exit.ts";

/** How soon a change of the keys shows. */
const LOOK_EVERY_MS = 1_000;
const WRITE_EVERY_MS = 30_000;

export interface ExitStateOptions {
  redis: RedisClient;
  keys: Keys;
  trust: Pick<ExitTrust, "operatorKeys">;
  ownership: Pick<Ownership, "sinceMs">;
  events: ExecutorEvents;
  /** Redis's clock, in ms. */
  now: () => number;
}

export class ExitState {
  readonly #options: ExitStateOptions;
  #looking: { stop: () => Promise<void> } | undefined;
  #written: { keys: number; sinceMs: number; at: number } | undefined;

  constructor(options: ExitStateOptions) {
    this.#options = options;
  }

  start(): void {
    this.#looking = every(LOOK_EVERY_MS, this.look, (error) =>
      this.#options.events.emit("failed", { doing: "say whether operators can exit", error }),
    );
  }

  async stop(): Promise<void> {
    await this.#looking?.stop();
  }

  /** Writes the number of keys if it is due. */
  look = async (): Promise<void> => {
    const { redis, keys, trust, ownership, now } = this.#options;
    const { sinceMs } = ownership;
    if (sinceMs === undefined) return;
    const { count } = trust.operatorKeys();
    const at = performance.now();
    const written = this.#written;
    const isDue = written === undefined || at - written.at >= WRITE_EVERY_MS;
    if (!isDue && written.keys === count && written.sinceMs === sinceMs) return;
    await dropMistyped(redis, [{ key: keys.exit, type: "hash" }]);
    await redis.hset(keys.exit, { keys: String(count), at_ms: String(now()) });
    this.#written = { keys: count, sinceMs, at };
  };

  /** A drill has read the whole account. */
  async drilled(operator: string): Promise<void> {
    const { redis, keys, now } = this.#options;
    await redis.hset(keys.exit, { drilled_at_ms: String(now()), drilled_by: operator });
  }
}

/** When an operator last drilled, by Redis's clock, in ms; undefined if never. */
export async function readLastDrill(redis: RedisClient, keys: Keys): Promise<number | undefined> {
  const atMs = Number(await redis.hget(keys.exit, "drilled_at_ms"));
  return atMs > 0 ? atMs : undefined;
}
