/**
 * What happens to proposals whose partition does not answer. They stay pending, and those of other partitions go on: one that were in
 * progress all the time would keep a place that others need. The first answer brings all of them back. Nothing is wrong
 * with them, so however long it takes, none becomes a dead letter.
 */
import { dispositionOf, isUnanswered } from "@quantum/redis";
import { ACK, type Disposition } from "@quantum/streams";

/** Whether the partition answers again is tried this long after it did not, with one proposal. */
const TRY_MS = 250;
/** Held in memory; beyond it they come back once they are reclaimed. The stream keeps about as many entries. */
const HELD_MAX = 10_000;

export class Outage {
  readonly #where: string;
  /** Why the partition is away, while it is. */
  #error: Error | undefined;
  #mayTry = false;
  #timer: NodeJS.Timeout | undefined;
  /** By the ids of their entries. */
  readonly #held = new Map<string, () => void>();

  /** @param partition its name; empty in the wire's layout */
  constructor(partition: string) {
    this.#where = partition === "" ? "Redis" : `partition ${partition}`;
  }

  /**
   * Takes a step for an entry, in the partition. Without it, if the partition is known to be away.
   * @throws what the step throws, unless the partition is away
   */
  async attempt(entryId: string, step: () => Promise<void>): Promise<Disposition> {
    if (this.#error !== undefined && !this.#mayTry) return this.#hold(entryId, this.#error);
    this.#mayTry = false;
    try {
      await step();
    } catch (error) {
      if (isAway(error)) {
        this.#begin(error);
        return this.#hold(entryId, error);
      }
      this.#end();
      throw error;
    }
    this.#end();
    return ACK;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #begin(error: Error): void {
    this.#error = error;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#mayTry = true;
      const [first] = this.#held.keys();
      if (first !== undefined) this.#release(first);
    }, TRY_MS);
  }

  #end(): void {
    if (this.#error === undefined) return;
    this.#error = undefined;
    clearTimeout(this.#timer);
    for (const id of this.#held.keys()) this.#release(id);
  }

  #hold(entryId: string, { message }: Error): Disposition {
    const disposition = { kind: "retry", reason: `${this.#where}: ${message}`, blameless: true } as const;
    if (this.#held.size >= HELD_MAX) return disposition;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(entryId, resolve);
    return { ...disposition, again: promise };
  }

  #release(entryId: string): void {
    this.#held.get(entryId)?.();
    this.#held.delete(entryId);
  }
}

/** Silence, or a state that Redis leaves by itself. */
function isAway(error: unknown): error is Error {
  if (isUnanswered(error)) return true;
  return error instanceof Error && error.name === "ReplyError" && dispositionOf(error).kind === "passes";
}
