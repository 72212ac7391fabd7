/**
 * Publishes proposals up to a maximum rate, and for each symbol only when {@link Pacing} allows it.
 *
 * A plan is counted as in flight before it is published, so that its result cannot arrive unnoticed. If Redis does not
 * answer, the proposal is published again, because the same proposal is the same plan.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { disconnect, type RedisClient } from "@quantum/redis";
import { type Intake, ofPartition, type Partition, type Partitions } from "@quantum/service-kit";
import { Pacing } from "./pacing.ts";
import type { FeedProposal, ProposalSource } from "./proposals.ts";
import { createPublish } from "./publish.ts";
import { latestId, readResults } from "./results.ts";
import { type FeedSnapshot, parseSnapshot } from "./snapshot.ts";

export interface FeedOptions {
  partitions: Partitions;
  intake: Intake;
  source: ProposalSource;
  ratePerSec: number;
  inFlightPerSymbol: number;
  /** The feed is done after this many proposals; Infinity is endless. */
  max: number;
  resultTimeoutMs?: number;
}

export interface FeedEvents {
  published: [FeedProposal];
  ended: [{ symbol: string; planId: string; executed: boolean }];
  /** The result did not arrive in time. The plan is no longer waited for. */
  overdue: [{ symbol: string; planId: string }];
  /** Everything is published; results may still arrive. */
  done: [{ published: number }];
  /** Something failed and will be retried. */
  failed: [{ doing: string; error: Error }];
  /** Something that had failed works again. */
  recovered: [{ doing: string }];
}

const RESULT_TIMEOUT_MS = 30_000;
/** How often to check snapshots that allow no proposal yet: often at first, because a refresh follows a fill. */
const RECHECK_MS = 50;
const RECHECK_MAX_MS = 1_000;
const RETRY_MS = 1_000;

export class Feed extends EventEmitter<FeedEvents> {
  readonly #options: FeedOptions;
  readonly #pacing: Pacing;
  readonly #stopping = new AbortController();
  /** Aborted when a symbol may have room again. */
  #nudge = new AbortController();
  readonly #publish: (proposal: FeedProposal) => Promise<void>;
  readonly #blocking: RedisClient[] = [];
  /** Partitions that did not answer, and until when, by performance.now(), they are left alone. */
  readonly #away = new Map<Partition, number>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: FeedOptions) {
    super();
    this.#options = options;
    this.#publish = createPublish(options.intake, options.partitions.all.length === 1);
    this.#pacing = new Pacing({
      symbols: options.source.symbols,
      inFlightPerSymbol: options.inFlightPerSymbol,
      resultTimeoutMs: options.resultTimeoutMs ?? RESULT_TIMEOUT_MS,
    });
  }

  /** Plans without a result. */
  inFlight(symbol: string): number {
    return this.#pacing.inFlight(symbol);
  }

  async start(): Promise<void> {
    const { partitions } = this.#options;
    // Follow results from before the first proposal.
    const followed = await Promise.all(
      partitions.map(async (partition) => {
        const after = await latestId(partition.redis, partition.keys.streams.result);
        return { partition, after };
      }),
    );
    const follow = followed.map(({ partition, after }) => {
      const blocking = partition.connectForBlocking();
      this.#blocking.push(blocking);
      return this.#followResults(partition, blocking, after);
    });
    this.#running = Promise.all([...follow, this.#publishAll()]);
  }

  async stop(): Promise<void> {
    await this.#end();
    await this.#running;
  }

  async #publishAll(): Promise<void> {
    const { ratePerSec, max } = this.#options;
    let published = 0;
    let slotMs = performance.now();
    let recheckMs = RECHECK_MS;
    while (!this.#stopped && published < max && this.#hasNext()) {
      await this.#pause(slotMs - performance.now(), this.#stopping.signal);
      this.#nudge = new AbortController();
      this.#expire();
      const symbols = this.#pacing.withRoom().filter((symbol) => this.#options.source.hasNext(symbol));
      const proposal = await this.#nextOf(symbols);
      if (proposal === undefined) {
        await this.#idle(symbols.length > 0 ? recheckMs : undefined);
        recheckMs = this.#nudge.signal.aborted ? RECHECK_MS : Math.min(recheckMs * 2, RECHECK_MAX_MS);
        continue;
      }
      await this.#insist("publish a proposal", () => this.#publish(proposal));
      if (this.#stopped) return;
      published += 1;
      slotMs = performance.now() + 1000 / ratePerSec;
      recheckMs = RECHECK_MS;
      this.emit("published", proposal);
    }
    if (this.#stopped) return;
    this.emit("done", { published });
    await this.#drain();
  }

  /** Nothing is left to publish: waits for the last results, then stops. */
  async #drain(): Promise<void> {
    while (!this.#stopped && this.#pacing.inFlight() > 0) {
      this.#nudge = new AbortController();
      await this.#idle();
      this.#expire();
    }
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#blocking.map(disconnect));
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #hasNext(): boolean {
    return this.#options.source.symbols.some((symbol) => this.#options.source.hasNext(symbol));
  }

  /** The next proposal of the first symbol that has one, counted as in flight. */
  async #nextOf(symbols: readonly string[]): Promise<FeedProposal | undefined> {
    const { source } = this.#options;
    for (const symbol of symbols) {
      const snapshot = await this.#snapshotOf(symbol);
      if (snapshot === undefined || !this.#pacing.isFresh(symbol, snapshot.version)) continue;
      const proposal = source.next(symbol, snapshot);
      if (proposal === undefined) continue;
      if (!proposal.repeats) this.#pacing.started(proposal, snapshot.version, performance.now());
      return proposal;
    }
    return undefined;
  }

  /** Undefined if its partition does not answer, which is not asked again for some time: other symbols go on. */
  async #snapshotOf(symbol: string): Promise<FeedSnapshot | undefined> {
    const partition = this.#options.partitions.of(symbol);
    const awayUntilMs = this.#away.get(partition);
    if (awayUntilMs !== undefined && performance.now() < awayUntilMs) return undefined;
    const doing = `read snapshots${ofPartition(partition.name)}`;
    try {
      const snapshot = parseSnapshot(await partition.redis.hgetall(partition.keys.snapshot(symbol)));
      if (this.#away.delete(partition)) this.emit("recovered", { doing });
      return snapshot;
    } catch (error) {
      if (this.#stopped) return undefined;
      this.#away.set(partition, performance.now() + RETRY_MS);
      this.emit("failed", { doing, error: error as Error });
      return undefined;
    }
  }

  async #followResults(partition: Partition, blocking: RedisClient, after: string): Promise<void> {
    let last = after;
    while (!this.#stopped) {
      await this.#insist(`read results${ofPartition(partition.name)}`, async () => {
        const read = await readResults(blocking, partition.keys.streams.result, last);
        last = read.last;
        for (const { planId, executed } of read.results) {
          const plan = this.#pacing.ended(planId, executed);
          if (plan === undefined) continue;
          this.emit("ended", { ...plan, executed });
          this.#nudge.abort();
        }
      });
    }
  }

  #expire(): void {
    for (const plan of this.#pacing.expire(performance.now())) this.emit("overdue", plan);
  }

  /** Waits for a result, or until one is overdue, at most `ms`. */
  async #idle(ms = Number.POSITIVE_INFINITY): Promise<void> {
    const untilExpiryMs = (this.#pacing.nextExpiryMs() ?? Number.POSITIVE_INFINITY) - performance.now();
    await this.#pause(
      Math.min(ms, untilExpiryMs),
      AbortSignal.any([this.#nudge.signal, this.#stopping.signal]),
    );
  }

  /** Repeats a step until it succeeds. Returns undefined if the feed stops before. */
  async #insist<T>(doing: string, step: () => Promise<T>): Promise<T | undefined> {
    for (let isFailing = false; !this.#stopped; isFailing = true) {
      try {
        const result = await step();
        if (isFailing) this.emit("recovered", { doing });
        return result;
      } catch (error) {
        if (this.#stopped) return undefined;
        this.emit("failed", { doing, error: error as Error });
        await this.#pause(RETRY_MS, this.#stopping.signal);
      }
    }
    return undefined;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
