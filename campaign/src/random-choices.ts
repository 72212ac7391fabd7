/**
 * A campaign's random choices. The same seed gives the same schedule of faults, but the processes may react
 * differently.
 */
import { seededRandom } from "@quantum/service-kit";

export class RandomChoices {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** An integer, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Chooses an item by weight. */
  weighted<T>(items: readonly T[], weightOf: (item: T) => number): T {
    let left = this.#random() * items.reduce((sum, item) => sum + weightOf(item), 0);
    for (const item of items) {
      left -= weightOf(item);
      if (left < 0) return item;
    }
    return this.pick(items);
  }
}
