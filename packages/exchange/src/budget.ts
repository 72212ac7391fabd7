/**
 * How much of the venue's limits is used, and whether a request still fits. Every check is local. Redis
 * counts for all processes (`lua/exchange/budget.lua`): each tells what it spent and draws a block for what comes, so
 * the sum stays below the limit even if Redis is away; then each spends what is left of its block. A request for which only
 * the block is too small waits for a larger one; an order never waits. What others at this address or account use is known
 * from the headers of the venue's answers. The larger count is believed.
 */
import { type Cost, LIMIT_KINDS, type LimitKind, type Limits } from "./limits.ts";
import { BudgetError } from "./not-asked.ts";
import { CEILINGS, type RequestClass } from "./request-classes.ts";
import { type Draw, type Drawn, type Shortage, Usage } from "./usage.ts";

/** What this process had spent when a request left, to tell others' use from its answer's headers. */
export interface Ticket {
  readonly atMs: number;
  readonly spent: Readonly<Record<LimitKind, number>>;
}

/** A draw that was under way does not know what is wanted since. The next one does. */
const DRAWS_MAX = 2;

export class Budget {
  readonly #usages: ReadonlyMap<LimitKind, Usage>;
  /** Called when a block is nearly spent. Undefined while nobody shares the budget: then it belongs to this process. */
  onLow: (() => Promise<void>) | undefined;

  /** @param holds the kinds that this process spends; of the others it only knows the use */
  constructor(holds: readonly LimitKind[] = LIMIT_KINDS) {
    this.#usages = new Map(LIMIT_KINDS.map((kind) => [kind, new Usage(kind, holds.includes(kind))]));
  }

  /** Nothing is held by a kind without a limit. */
  setLimits(limits: Limits): void {
    for (const [kind, usage] of this.#usages) usage.limit = limits[kind];
    void this.onLow?.();
  }

  /** Why a request may not be sent now; undefined if it may. Changes nothing. */
  shortage(requestClass: RequestClass, cost: Cost): Shortage | undefined {
    const shortage = this.#shortage(requestClass, cost);
    if (shortage !== undefined && this.#usage(shortage.kind).isLow) void this.onLow?.();
    return shortage;
  }

  /**
   * Counts a request that is about to be sent.
   *
   * @param aside what was set aside for it
   * @throws BudgetError if there is no room for it
   */
  async take(requestClass: RequestClass, cost: Cost, aside?: SetAside): Promise<Ticket> {
    if (aside?.covers(cost) === true) return this.spend(cost);
    return this.#fit(requestClass, cost, () => this.spend(cost));
  }

  /**
   * Keeps room for several requests that are useless without each other.
   *
   * @param weight of all of them
   * @throws BudgetError if there is no room for all
   */
  async setAside(requestClass: RequestClass, weight: number): Promise<SetAside> {
    const usage = this.#usage("weight_1m");
    return this.#fit(requestClass, { weight_1m: weight }, () => new SetAside(usage, weight));
  }

  /** Counts a request that is about to be sent, whether or not there is room for it. */
  spend(cost: Cost): Ticket {
    const spent = { weight_1m: 0, orders_1m: 0, orders_10s: 0 };
    for (const [kind, usage] of this.#usages) {
      spent[kind] = usage.spend(cost[kind] ?? 0);
      if (usage.isLow && cost[kind] !== undefined) void this.onLow?.();
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
    return [...this.#usages.values()].flatMap((usage) => usage.draw(CEILINGS.order) ?? []);
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

  /** Checks and uses in one step, so that two requests never find the same room. */
  async #fit<T>(requestClass: RequestClass, cost: Cost, use: () => T): Promise<T> {
    for (let draws = 0; ; draws++) {
      const shortage = this.#shortage(requestClass, cost);
      if (shortage === undefined) return use();
      const usage = this.#usage(shortage.kind);
      const draw = this.onLow;
      if (draw === undefined || !shortage.isOfBlock || draws === DRAWS_MAX) {
        if (usage.isLow) void draw?.();
        throw new BudgetError(requestClass, shortage);
      }
      await usage.wish(cost[shortage.kind] ?? 0, draw);
    }
  }

  #shortage(requestClass: RequestClass, cost: Cost): Shortage | undefined {
    const share = CEILINGS[requestClass];
    if (share === Infinity) return undefined;
    const isVital = requestClass === "vital";
    for (const [kind, usage] of this.#usages) {
      const needed = cost[kind] ?? 0;
      if (needed === 0) continue;
      const shortage = usage.shortage(share, needed, {
        needsBlock: !isVital && this.onLow !== undefined,
        ignoresAside: isVital,
      });
      if (shortage !== undefined) return shortage;
    }
    return undefined;
  }

  #usage(kind: LimitKind): Usage {
    return this.#usages.get(kind) as Usage;
  }
}

/** Weight that is kept for the requests of one reading. */
export class SetAside {
  readonly #usage: Usage;
  #left: number;

  constructor(usage: Usage, weight: number) {
    this.#usage = usage;
    this.#left = weight;
    usage.setAside(weight);
  }

  /** Whether the request is one of those. Then what is kept for it is about to be spent. */
  covers({ weight_1m: weight = 0 }: Cost): boolean {
    if (weight > this.#left) return false;
    this.#giveBack(weight);
    return true;
  }

  /** The reading has ended. What it did not need is free again. */
  end(): void {
    this.#giveBack(this.#left);
  }

  #giveBack(weight: number): void {
    this.#left -= weight;
    this.#usage.setAside(-weight);
  }
}
