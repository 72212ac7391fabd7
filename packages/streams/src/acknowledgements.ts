import { atEndOfTurn, type RedisClient } from "@quantum/redis";

/** Acknowledges a consumer's entries: all of one turn of the event loop go in one XACK. */
export class Acknowledgements {
  readonly #options: { redis: RedisClient; stream: string; group: string };
  #gathered: { ids: string[]; sent: Promise<void> } | undefined;

  constructor(options: { redis: RedisClient; stream: string; group: string }) {
    this.#options = options;
  }

  /** Resolves once Redis has acknowledged the entry. If the XACK fails, every entry in it rejects. */
  add(id: string): Promise<void> {
    this.#gathered ??= { ids: [], sent: this.#sendAtEndOfTurn() };
    this.#gathered.ids.push(id);
    return this.#gathered.sent;
  }

  async #sendAtEndOfTurn(): Promise<void> {
    const { redis, stream, group } = this.#options;
    await new Promise<void>((resolve) => atEndOfTurn(resolve));
    const ids = this.#gathered?.ids ?? [];
    this.#gathered = undefined;
    await redis.xack(stream, group, ...ids);
  }
}
