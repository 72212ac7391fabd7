/** The entries that a stopping consumer has received but not started to handle. */
import { LOOKED_AT, type Member } from "./pending.ts";
import { isLater } from "./stream-id.ts";

type Pending = [id: string, consumer: string, idleMs: number, deliveries: number];

export class Unbegun {
  readonly #member: Member & { reclaimIdleMs: number };
  readonly #ids = new Set<string>();
  /** The newest entry that this process has received: new, delivered again, or reclaimed. */
  #latest: string | undefined;

  constructor(member: Member & { reclaimIdleMs: number }) {
    this.#member = member;
  }

  /** Records a received entry. It counts as handled unless {@link add} is called for it. */
  came(id: string): void {
    if (this.#latest === undefined || isLater(id, this.#latest)) this.#latest = id;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  /**
   * Uncounts these deliveries and makes the entries reclaimable at once. Otherwise their next consumer would assume
   * that they may have been handled. Includes entries from an answer that was lost when its connection closed.
   */
  async giveBack(): Promise<void> {
    const { redis, stream, group, consumer, reclaimIdleMs } = this.#member;
    const pending = async (start: string) =>
      (await redis.xpending(stream, group, start, "+", LOOKED_AT, consumer)) as Pending[];
    const known = this.#ids.size === 0 ? [] : (await pending("-")).filter(([id]) => this.#ids.has(id));
    const after = this.#latest === undefined ? [] : await pending(`(${this.#latest}`);
    const lost = after.filter(([id, , , deliveries]) => deliveries === 1 && !this.#ids.has(id));
    for (const [id, , , deliveries] of [...known, ...lost]) {
      const how = ["IDLE", reclaimIdleMs, "RETRYCOUNT", deliveries - 1, "JUSTID"] as const;
      await redis.xclaim(stream, group, consumer, 0, id, ...how);
    }
  }
}
