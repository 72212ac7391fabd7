/** What happens to an entry after its handler has finished. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { Acknowledgements } from "./acknowledgements.ts";
import { moveToDeadLetter } from "./dead-letter.ts";
import type { Disposition } from "./disposition.ts";
import type { Entry } from "./entry.ts";

export interface DisposalOptions {
  redis: RedisClient;
  keys: Keys;
  stream: string;
  group: string;
  maxDeliveries: number;
  acknowledge: boolean;
}

export class Disposal {
  readonly #options: DisposalOptions;
  readonly #acknowledgements: Acknowledgements;

  constructor(options: DisposalOptions) {
    this.#options = options;
    this.#acknowledgements = new Acknowledgements(options);
  }

  /** @returns the reason, if the entry became a dead letter */
  async of(entry: Entry, disposition: Disposition): Promise<string | undefined> {
    if (!this.#options.acknowledge) return undefined;
    const { kind } = disposition;
    if (kind === "ack") await this.#acknowledgements.add(entry.id);
    if (kind === "dead") return this.#dead(entry, disposition.reason);
    const isBlameless = kind === "retry" && disposition.blameless === true;
    if (kind === "retry" && !isBlameless && entry.deliveries >= this.#options.maxDeliveries)
      return this.#dead(entry, `given up after ${entry.deliveries} deliveries: ${disposition.reason}`);
    return undefined;
  }

  async #dead(entry: Entry, reason: string): Promise<string | undefined> {
    const { redis, keys, stream, group } = this.#options;
    return (await moveToDeadLetter(redis, keys, { stream, group, entry, reason })) ? reason : undefined;
  }
}
