/**
 * Since when a close of each symbol has been proposed, and nothing executed. A position whose closes keep being refused
 * is otherwise noticed by nobody: each refusal alone is normal.
 *
 * The time is in Redis (`lua/ledger/want_close`), so it survives restarts, and all replicas show the same. Nothing waits
 * for it, and a note that fails is repeated with the symbol's next plan.
 */
import type { EventEmitter } from "node:events";
import {
  type HarvestAction,
  type P33Reason,
  type PLAN_REASONS,
  type PlanEntry,
  TTL_SEC,
} from "@quantum/contract";
import type { IssuerEvents } from "@quantum/issuer";
import { bindScript } from "@quantum/redis";
import type { Partitions } from "@quantum/service-kit";
import { Big } from "big.js";
import type { Booker } from "./booker.ts";
import type { Pair } from "./pair.ts";
import type { StoredPair } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";

const runWantClose = bindScript("ledger/want_close");

/** A symbol's proposals may come in any number; another replica may note the opposite in between. */
const SAME_NOTE_MS = 1_000;

const CLOSES: ReadonlySet<string> = new Set([
  "PARTIAL_25",
  "PARTIAL_50",
  "PARTIAL_75",
  "FULL_CLOSE_PROPOSED",
] satisfies HarvestAction[]);
const WITHDRAWS: ReadonlySet<string> = new Set(["HOLD", "NONE", "UPDATE_SL"] satisfies HarvestAction[]);
const STALE = "proposal_stale" satisfies (typeof PLAN_REASONS)["SKIP"][number];
const DRY_RUN = "dry_run";
const DUST = "dust" satisfies P33Reason;

export interface CloseWatchOptions {
  partitions: Partitions;
  allowlist: ReadonlySet<string>;
  onError: (error: Error) => void;
}

export class CloseWatch {
  readonly #options: CloseWatchOptions;
  /** What was last noted of a symbol, and when, by performance.now(). */
  readonly #noted = new Map<string, { isWanted: boolean; atMs: number }>();
  readonly #flat = new Set<string>();

  constructor(options: CloseWatchOptions) {
    this.#options = options;
  }

  follow(handlers: EventEmitter<IssuerEvents>, refresh: PairRefresh, booker: Booker): void {
    handlers.on("unasked", ({ plan }) => this.#proposed(plan));
    handlers.on("answered", ({ plan, issued }) => {
      const isDust = issued.kind === "denied" && issued.reason === DUST;
      if (isDust) this.#note(plan.symbol, false);
      else this.#proposed(plan);
    });
    refresh.on("stored", (stored) => this.#moved(stored));
    booker.on("booked", (stored) => this.#moved(stored));
  }

  /** By Redis's clock, in ms; undefined if no close is wanted. */
  async wantedSinceMs(symbol: string): Promise<number | undefined> {
    const { redis, keys } = this.#options.partitions.of(symbol);
    const text = await redis.get(keys.closeWanted(symbol)).catch((error: Error) => {
      // The next note replaces it.
      if (error.message.startsWith("WRONGTYPE")) return null;
      throw error;
    });
    const sinceMs = Number(text ?? Number.NaN);
    return Number.isSafeInteger(sinceMs) ? sinceMs : undefined;
  }

  #moved({ symbol, pair }: { symbol: string; pair: Pair }): void {
    if (!Big(pair.snapshot.positionAmt).eq(0)) {
      this.#flat.delete(symbol);
      return;
    }
    if (this.#flat.has(symbol)) return;
    this.#flat.add(symbol);
    // Whatever this process noted last: another one may have noted the opposite since.
    this.#noted.delete(symbol);
    this.#note(symbol, false);
  }

  #proposed({ symbol, action, decision, reason_codes: reason, mode }: PlanEntry): void {
    // Nothing is executed in a dry run, and a skipped close is none that anyone waits for.
    if (mode === DRY_RUN || reason === STALE) return;
    if (WITHDRAWS.has(action)) this.#note(symbol, false);
    else if (CLOSES.has(action) && decision !== "SKIP") this.#note(symbol, true);
  }

  #note(symbol: string, isWanted: boolean): void {
    const { partitions, allowlist, onError } = this.#options;
    if (!allowlist.has(symbol)) return;
    const { redis, keys } = partitions.of(symbol);
    const last = this.#noted.get(symbol);
    const atMs = performance.now();
    if (last?.isWanted === isWanted && atMs - last.atMs < SAME_NOTE_MS) return;
    this.#noted.set(symbol, { isWanted, atMs });
    runWantClose(redis, {
      keys: {
        wanted: keys.closeWanted(symbol),
        snapshot: keys.snapshot(symbol),
        ledger: keys.ledger(symbol),
      },
      args: { is_wanted: isWanted ? "1" : "0", wanted_sec: String(TTL_SEC.closeWanted) },
    }).catch((error: unknown) => {
      this.#noted.delete(symbol);
      onError(error as Error);
    });
  }
}

/**
 * For how long a close of an open position has been wanted without an execution, in ms. A position without a snapshot
 * may be open.
 */
export function unfulfilledMs(
  sinceMs: number | undefined,
  { snapshot, ledger }: Pick<StoredPair, "snapshot" | "ledger">,
  nowMs: number,
): number {
  if (sinceMs === undefined) return 0;
  if (snapshot !== undefined && Big(snapshot.positionAmt).eq(0)) return 0;
  const executedMs = ledger?.lastExecution?.atMs;
  if (executedMs !== undefined && executedMs >= sinceMs) return 0;
  return Math.max(0, nowMs - sinceMs);
}
