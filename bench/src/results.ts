/** A bench's results: figures by case, load and system, one set per repeat. */
import type { Figures } from "./measure.ts";

export interface Result {
  case: string;
  /** For example `1,000 plans/s`. */
  load: string;
  system: string;
  runs: Figures[];
}

export class Results {
  readonly all: Result[] = [];

  add(id: Omit<Result, "runs">, figures: Figures): void {
    const known = this.#find(id);
    if (known === undefined) this.all.push({ ...id, runs: [figures] });
    else known.runs.push(figures);
  }

  /** NaN if it was not measured. */
  median(id: Omit<Result, "runs">, figure: string): number {
    const known = this.#find(id);
    return (known && spreadOf(known, figure)?.median) ?? Number.NaN;
  }

  #find(id: Omit<Result, "runs">): Result | undefined {
    return this.all.find((one) => one.case === id.case && one.load === id.load && one.system === id.system);
  }
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Undefined if no run has the figure. */
export function spreadOf(result: Result, figure: string): Spread | undefined {
  const values = result.runs.flatMap((run) => run[figure] ?? []).toSorted((a, b) => a - b);
  const [min, max, median] = [values[0], values.at(-1), values[Math.floor((values.length - 1) / 2)]];
  if (min === undefined || max === undefined || median === undefined) return undefined;
  return { median, min, max };
}
