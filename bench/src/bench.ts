/** What every case is given. */
import type { Results } from "./results.ts";

export interface Bench {
  results: Results;
  /** `quick` proves that everything works; its figures are rough. `full` adds what takes minutes. */
  size: "quick" | "default" | "full";
  repeats: number;
  progress: (text: string) => void;
}

export type Case = (bench: Bench) => Promise<void>;
