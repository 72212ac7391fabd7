import { atEndOfTurn, type RedisClient } from "@quantum/redis";

/** A consumer's acknowledgements: those of one turn of the event loop are one XACK. */
export class Acknowledgements {
  readonly #options: { redis: RedisClient; stream: string; group: string };
  #gathered: { ids: string[]; sent: Promise<void> } | undefined;

  constructor(options: { redis: RedisClient; stream: string; group: string }) {
    this.#options = options;
  }

  /** Resolves once Redis knows it; rejects for all that travelled together. */
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
