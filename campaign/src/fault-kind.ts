/** The definition of a fault, and what it can act on. */
import type { Halt, StreamTail } from "@quantum/harness";
import type { RandomChoices } from "./random-choices.ts";
import type { Losses } from "./losses.ts";
import type { Proposer } from "./proposer.ts";
import type { Recorder } from "./record.ts";
import type { RedisKind } from "./redis-servers.ts";
import type { System } from "./system.ts";

/** What a fault can act on. */
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

/** One fault that was injected. */
export interface Hit {
  kind: string;
  target: string;
  /** The partitions on the master that failed over; undefined for other faults, and if the wire's keys were there. */
  failedOver?: ReadonlySet<number>;
}

/** Those that services reach through proxies of their own, with one partition. */
export const BEHIND_PROXIES: readonly RedisKind[] = ["lone", "sentinel"];
/** For what touches no key and no connection to Redis. */
export const EVERYWHERE: readonly RedisKind[] = [...BEHIND_PROXIES, "cluster"];

export interface FaultKind {
  /** One line for `--help`. */
  readonly meaning: string;
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  /** The kinds of Redis that it can be done to. Default: {@link BEHIND_PROXIES}. */
  readonly on?: readonly RedisKind[];
  /** Injects and removes the fault. Recovery begins when it resolves. */
  readonly run: (context: FaultContext) => Promise<Hit[]>;
}
