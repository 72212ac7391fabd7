/** The context of every case. */
import type { Results } from "./results.ts";

export interface Bench {
  results: Results;
  /** `quick` proves that everything works, with rough figures. `full` adds cases that take minutes. */
  size: "quick" | "default" | "full";
  repeats: number;
  progress: (text: string) => void;
}

export type Case = (bench: Bench) => Promise<void>;
