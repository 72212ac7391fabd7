/** The use of one limit by this process and by others, and this process's block of it. */
import { type LimitKind, WINDOWS_MS } from "./limits.ts";

/** Why a request is not sent now. */
export interface Shortage {
  readonly kind: LimitKind;
  readonly used: number;
  readonly limit: number;
  /** The class's share of the limit. */
  readonly ceiling: number;
  /** Until the venue counts from 0 again. */
  readonly leftMs: number;
  /** Only this process's block is too small, not what is left of the limit. */
  readonly isOfBlock: boolean;
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
  /** What it is about to spend: the block should not be smaller. */
  readonly wanted: number;
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

/** How long a peak is shown at least: a whole window, and several scrapes. */
const PEAK_MS = 60_000;

/** Our estimate of the venue's time may be ahead by this much. */
const CLOCK_ERROR_MS = 1_000;

/** The use of one limit. Times are `performance.now()` in ms. */
export class Usage {
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
  /** Not spent yet, and only for those for whom it was set aside. */
  #aside = 0;
  /** By requests that wait for a larger block. */
  #wished = 0;
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

  shortage(
    share: number,
    needed: number,
    { needsBlock, ignoresAside }: { needsBlock: boolean; ignoresAside: boolean },
  ): Shortage | undefined {
    const { limit } = this;
    if (limit === undefined) return undefined;
    const nowMs = this.#now();
    const aside = ignoresAside ? 0 : this.#aside;
    const used = this.#used(nowMs) + aside;
    const ceiling = Math.floor(limit * share);
    const isWithin = used + needed <= ceiling;
    const hasBlock = !needsBlock || !this.#isHolder || this.#held >= aside + needed;
    if (isWithin && hasBlock) return undefined;
    const leftMs = Math.ceil(this.#endsAtMs - nowMs);
    return { kind: this.#kind, used, limit, ceiling, leftMs, isOfBlock: isWithin };
  }

  /** Keeps room from all other requests. Negative: gives it back, or it is about to be spent. */
  setAside(amount: number): void {
    this.#aside += amount;
  }

  /** Has the block drawn large enough for one more request. */
  async wish(amount: number, draw: () => Promise<void>): Promise<void> {
    this.#wished += amount;
    try {
      await draw();
    } finally {
      this.#wished -= amount;
    }
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
    // It is not known in which of two windows the venue counted it, or when we spent what it counted. The count of a window
    // that has just ended would hold requests back until the next one ends.
    if (nowMs - sentAtMs + CLOCK_ERROR_MS > intoMs || sentAtMs < this.#endsAtMs - this.#windowMs) return;
    const before = this.#seen.untilMs > nowMs ? this.#seen.others : 0;
    this.#seen = {
      others: Math.max(before, count - spentAtSend),
      window: venueWindow,
      untilMs: nowMs + this.#windowMs - intoMs,
    };
    this.#notePeak(nowMs);
  }

  /** @param share of the limit that all blocks and everything spent together must stay below */
  draw(share: number): Draw | undefined {
    const { limit } = this;
    if (limit === undefined) return undefined;
    const nowMs = this.#now();
    const isSeenHere = this.#seen.untilMs > nowMs && this.#seen.window === this.#window;
    return {
      kind: this.#kind,
      windowMs: this.#windowMs,
      window: this.#window,
      limit,
      ceiling: Math.floor(limit * share),
      spent: this.#spent,
      isHolder: this.#isHolder,
      wanted: this.#isHolder ? this.#aside + this.#wished : 0,
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
