/** What a kind of fault is, and what it works on. */
import type { Halt, StreamTail } from "@quantum/harness";
import type { RandomChoices } from "./random-choices.ts";
import type { Losses } from "./losses.ts";
import type { Proposer } from "./proposer.ts";
import type { Recorder } from "./record.ts";
import type { System } from "./system.ts";

/** What a fault may reach for. */
export interface FaultContext {
  system: System;
  random: RandomChoices;
  history: Recorder;
  tail: StreamTail;
  proposer: Proposer;
  losses: Losses;
  /** When the kill switch was on, by Redis's clock. */
  halts: Halt[];
}

/** One fault that was done. */
export interface Hit {
  kind: string;
  target: string;
}

export interface FaultKind {
  /** One line for `--help`. */
  readonly meaning: string;
  /** How often it is thrown, compared with the others. */
  readonly weight: number;
  /** Does it and undoes it: what follows is recovery. */
  readonly run: (context: FaultContext) => Promise<Hit[]>;
}
