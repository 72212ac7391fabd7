/** What a consumer that stops was given and has not begun to handle. */
import { LOOKED_AT, type Member } from "./pending.ts";
import { isLater } from "./stream-id.ts";

type Pending = [id: string, consumer: string, idleMs: number, deliveries: number];

export class Unbegun {
  readonly #member: Member & { reclaimIdleMs: number };
  readonly #ids = new Set<string>();
  /** The latest entry that came here, as a new one, again, or from another consumer. */
  #latest: string | undefined;

  constructor(member: Member & { reclaimIdleMs: number }) {
    this.#member = member;
  }

  /** It came here, and is handled unless {@link add} says otherwise. */
  came(id: string): void {
    if (this.#latest === undefined || isLater(id, this.#latest)) this.#latest = id;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  /**
   * These deliveries are not counted, and the entries are anybody's at once: else the next one who is given them takes them
   * for entries that may have been handled. Among them is what an answer held that was lost as its connection closed.
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
