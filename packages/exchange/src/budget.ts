/**
 * How much of the venue's limits is used, and whether a request still fits. Every check is local and synchronous. Redis
 * counts for all processes (`lua/exchange/budget.lua`): each tells what it spent and draws a block for what comes, so
 * the sum stays below the limit even if Redis is away; then each spends what is left of its block. What others at this
 * address or account use is known from the headers of the venue's answers. The larger count is believed.
 */
import { type Cost, LIMIT_KINDS, type LimitKind, type Limits, WINDOWS_MS } from "./limits.ts";

/**
 * What a request is for, and up to which share of a limit it is sent. Each class leaves room for the next, so that a
 * busy pipeline loses its freshness before its orders. `catch_up`: what the user data stream did not tell; without room of
 * its own it would wait for the next minute after an outage in which refreshes have used theirs. `vital`: an order in doubt,
 * the clock, the listen key, the rules. `exit`: an operator's flatten or close, which nothing but the venue may hold back.
 */
const CEILINGS = {
  audit: 0.5,
  refresh: 0.75,
  catch_up: 0.9,
  order: 0.9,
  vital: Infinity,
  exit: Infinity,
} as const;
export type RequestClass = keyof typeof CEILINGS;

/** Why a request is not sent now. */
export interface Shortage {
  readonly kind: LimitKind;
  readonly used: number;
  readonly limit: number;
  /** The class's share of the limit. */
  readonly ceiling: number;
  /** Until the venue counts from 0 again. */
  readonly leftMs: number;
}

/** What this process had spent when a request left, to tell others' use from its answer's headers. */
export interface Ticket {
  readonly atMs: number;
  readonly spent: Readonly<Record<LimitKind, number>>;
}

/** What a process tells when it draws a block. */
export interface Draw {
  readonly kind: LimitKind;
  readonly windowMs: number;
  /** Redis's number of the window in which `spent` was spent; undefined before the first draw. */
  readonly window: number | undefined;
  readonly limit: number;
  /** All blocks and everything spent together must stay below it. */
  readonly ceiling: number;
  readonly spent: number;
  /** False if this process only watches. */
  readonly isHolder: boolean;
  /** The venue's count in the same window; 0 if unknown. */
  readonly reported: number;
}

export interface Drawn {
  readonly window: number;
  readonly leftMs: number;
  /** The block: how much may be spent until the next draw. */
  readonly held: number;
  /** What others have spent in the window. */
  readonly others: number;
}

export class Budget {
  readonly #usages: ReadonlyMap<LimitKind, Usage>;
  /** Called when a block is nearly spent. Undefined while nobody shares the budget: then it belongs to this process. */
  onLow: (() => void) | undefined;

  /** @param holds the kinds that this process spends; of the others it only knows the use */
  constructor(holds: readonly LimitKind[] = LIMIT_KINDS) {
    this.#usages = new Map(LIMIT_KINDS.map((kind) => [kind, new Usage(kind, holds.includes(kind))]));
  }

  /** Nothing is held by a kind without a limit. */
  setLimits(limits: Limits): void {
    for (const [kind, usage] of this.#usages) usage.limit = limits[kind];
    this.onLow?.();
  }

  /** Why a request may not be sent now; undefined if it may. Changes nothing. */
  shortage(requestClass: RequestClass, cost: Cost): Shortage | undefined {
    if (CEILINGS[requestClass] === Infinity) return undefined;
    for (const [kind, usage] of this.#usages) {
      const needed = cost[kind] ?? 0;
      if (needed === 0) continue;
      const shortage = usage.shortage(CEILINGS[requestClass], needed, this.onLow !== undefined);
      if (shortage === undefined) continue;
      if (usage.isLow) this.onLow?.();
      return shortage;
    }
    return undefined;
  }

  /** Counts a request that is about to be sent. */
  spend(cost: Cost): Ticket {
    const spent = { weight_1m: 0, orders_1m: 0, orders_10s: 0 };
    for (const [kind, usage] of this.#usages) {
      spent[kind] = usage.spend(cost[kind] ?? 0);
      if (usage.isLow && cost[kind] !== undefined) this.onLow?.();
    }
    return { atMs: performance.now(), spent };
  }

  /**
   * The venue has answered a request, and told what it counts.
   *
   * @param venueMs its time now
   */
  reported({ atMs, spent }: Ticket, counts: Limits, venueMs: number): void {
    for (const [kind, usage] of this.#usages) {
      const count = counts[kind];
      if (count !== undefined) usage.reported(count, spent[kind], atMs, venueMs);
    }
  }

  /** What to tell Redis, for each kind that has a limit. */
  draws(): Draw[] {
    return [...this.#usages.values()].flatMap((usage) => usage.draw() ?? []);
  }

  drawn(draw: Draw, drawn: Drawn): void {
    this.#usages.get(draw.kind)?.drawn(draw, drawn);
  }

  /** Until the first window ends; Infinity without limits. */
  get nextWindowMs(): number {
    return Math.min(...[...this.#usages.values()].map((usage) => usage.leftMs));
  }

  /** The highest use of the last one to two minutes, as a share of the limit; 0 without one. */
  peak(kind: LimitKind): number {
    return this.#usages.get(kind)?.peak() ?? 0;
  }
}

/** How long a peak is shown at least: a whole window, and several scrapes. */
const PEAK_MS = 60_000;

/** The use of one limit. Times are `performance.now()` in ms. */
class Usage {
  readonly #kind: LimitKind;
  readonly #windowMs: number;
  readonly #isHolder: boolean;
  limit: number | undefined;
  #window: number | undefined;
  #endsAtMs: number;
  /** In this window, by this process. */
  #spent = 0;
  /** In this window, by others: as Redis counts, and as the venue's answers tell until the venue's window ends. */
  #others = 0;
  #seen = { others: 0, window: 0, untilMs: -Infinity };
  /** Left of the block. Below 0 if vital requests overdrew it. It does not end with its window. */
  #held = 0;
  #drawnHeld = 0;
  #peaks: { readonly untilMs: number; share: number; readonly before: number } = {
    untilMs: -Infinity,
    share: 0,
    before: 0,
  };

  constructor(kind: LimitKind, isHolder: boolean) {
    this.#kind = kind;
    this.#windowMs = WINDOWS_MS[kind];
    this.#isHolder = isHolder;
    this.#endsAtMs = performance.now() + this.#windowMs;
  }

  shortage(share: number, needed: number, isShared: boolean): Shortage | undefined {
    const { limit } = this;
    if (limit === undefined) return undefined;
    const nowMs = this.#now();
    const used = this.#used(nowMs);
    const ceiling = Math.floor(limit * share);
    const hasBlock = !isShared || !this.#isHolder || this.#held >= needed;
    if (used + needed <= ceiling && hasBlock) return undefined;
    return { kind: this.#kind, used, limit, ceiling, leftMs: Math.ceil(this.#endsAtMs - nowMs) };
  }

  /** @returns what is spent now */
  spend(amount: number): number {
    const nowMs = this.#now();
    this.#spent += amount;
    this.#held -= amount;
    this.#notePeak(nowMs);
    return this.#spent;
  }

  /** Half of the block is spent. */
  get isLow(): boolean {
    return this.#isHolder && this.limit !== undefined && this.#held <= this.#drawnHeld / 2;
  }

  get leftMs(): number {
    return this.limit === undefined ? Infinity : this.#endsAtMs - this.#now();
  }

  reported(count: number, spentAtSend: number, sentAtMs: number, venueMs: number): void {
    const nowMs = this.#now();
    const venueWindow = Math.floor(venueMs / this.#windowMs);
    const intoMs = venueMs - venueWindow * this.#windowMs;
    // It is not known in which of two windows the venue counted it, or when we spent what it counted.
    if (nowMs - sentAtMs > intoMs || sentAtMs < this.#endsAtMs - this.#windowMs) return;
    const before = this.#seen.untilMs > nowMs ? this.#seen.others : 0;
    this.#seen = {
      others: Math.max(before, count - spentAtSend),
      window: venueWindow,
      untilMs: nowMs + this.#windowMs - intoMs,
    };
    this.#notePeak(nowMs);
  }

  draw(): Draw | undefined {
    const { limit } = this;
    if (limit === undefined) return undefined;
    const nowMs = this.#now();
    const isSeenHere = this.#seen.untilMs > nowMs && this.#seen.window === this.#window;
    return {
      kind: this.#kind,
      windowMs: this.#windowMs,
      window: this.#window,
      limit,
      ceiling: Math.floor(limit * CEILINGS.order),
      spent: this.#spent,
      isHolder: this.#isHolder,
      reported: isSeenHere ? this.#spent + this.#seen.others : 0,
    };
  }

  drawn(draw: Draw, { window, leftMs, held, others }: Drawn): void {
    const nowMs = this.#now();
    // The window has ended since. The next draw follows at once.
    if (draw.window !== this.#window) return;
    const spentSince = this.#spent - draw.spent;
    if (window !== this.#window) this.#spent = spentSince;
    this.#window = window;
    this.#endsAtMs = nowMs + leftMs;
    this.#held = held - spentSince;
    this.#drawnHeld = held;
    this.#others = others;
    this.#notePeak(nowMs);
  }

  peak(): number {
    this.#notePeak(this.#now());
    return Math.max(this.#peaks.share, this.#peaks.before);
  }

  #used(nowMs: number): number {
    return this.#spent + Math.max(this.#others, this.#seen.untilMs > nowMs ? this.#seen.others : 0);
  }

  /** Begins the next window if it is time. */
  #now(): number {
    const nowMs = performance.now();
    if (nowMs < this.#endsAtMs) return nowMs;
    const ended = 1 + Math.floor((nowMs - this.#endsAtMs) / this.#windowMs);
    this.#endsAtMs += ended * this.#windowMs;
    if (this.#window !== undefined) this.#window += ended;
    this.#spent = 0;
    this.#others = 0;
    return nowMs;
  }

  #notePeak(nowMs: number): void {
    const share = this.limit === undefined ? 0 : this.#used(nowMs) / this.limit;
    const { untilMs } = this.#peaks;
    if (nowMs < untilMs) this.#peaks.share = Math.max(this.#peaks.share, share);
    else {
      const isRecent = nowMs < untilMs + PEAK_MS;
      this.#peaks = { untilMs: nowMs + PEAK_MS, share, before: isRecent ? this.#peaks.share : 0 };
    }
  }
}
