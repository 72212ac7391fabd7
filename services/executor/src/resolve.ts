/**
 * Resolves orders in doubt by asking the exchange for them by client order id, with growing pauses, until evidence
 * settles them (I9). The index of unsettled orders drives it: jobs are only its timers, and a sweep makes lost ones anew.
 */
import type { Keys } from "@quantum/contract";
import { type Exchange, ExchangeError } from "@quantum/exchange";
import type { RedisClient } from "@quantum/redis";
import { type Job, Queue, Worker } from "bullmq";
import { weigh } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { ClaimedOrder, Orders } from "./orders.ts";

const QUEUE = "executor-resolve";
const RESOLVE = "resolve";
const SWEEP = "sweep";
const SWEEP_EVERY_MS = 5_000;
/** Orders asked about at the same time. */
const CONCURRENCY = 16;

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
/** Some ten minutes of questions; then the job goes and the sweep makes a new one. */
const QUESTIONS = 300;

/** A dead replica's jobs are taken over after this; its lock is renewed at half of it. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** After an error of Redis; BullMQ's own 15 s would keep symbols blocked for as long. */
const RETRY_MS = 1_000;
/** BullMQ keeps a log of its events, which nobody reads here. */
const JOB_EVENTS_KEPT = 100;

interface Question {
  planId: string;
  /** Answers so far that count as "there is no such order". */
  negatives: number;
}
type JobData = Question | Record<string, never>;

export interface ResolverOptions {
  orders: Orders;
  exchange: Exchange;
  events: ExecutorEvents;
  keys: Keys;
  connectForJobs: () => RedisClient;
}

/** Not an error of ours: the evidence does not settle it yet. */
class Unresolved extends Error {
  override readonly name = "Unresolved";
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #connection: RedisClient;
  readonly #queue: Queue<JobData>;
  #worker: Worker<JobData> | undefined;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#connection = options.connectForJobs();
    this.#queue = new Queue<JobData>(QUEUE, {
      connection: this.#connection,
      prefix: options.keys.jobs,
      streams: { events: { maxLen: JOB_EVENTS_KEPT } },
    });
    this.#queue.on("error", (error) => this.#failed("use the job queue", error));
  }

  async start(): Promise<void> {
    await this.#scheduleSweeps();
    // A Redis that was replaced may have lost the schedule too.
    this.#options.events.on("rewound", () => {
      this.#scheduleSweeps().catch((error: unknown) => this.#failed("schedule sweeps", error as Error));
    });
    this.#worker = new Worker<JobData>(QUEUE, (job) => this.#work(job), {
      // The worker makes a second connection of it for its blocking reads.
      connection: this.#connection,
      prefix: this.#options.keys.jobs,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      runRetryDelay: RETRY_MS,
      settings: { backoffStrategy: (asked, _type, error) => pauseMs(asked, error) },
    });
    this.#worker.on("error", (error) => this.#failed("run jobs", error));
  }

  /** All replicas share one schedule. */
  async #scheduleSweeps(): Promise<void> {
    await this.#queue.upsertJobScheduler(
      SWEEP,
      { every: SWEEP_EVERY_MS },
      { name: SWEEP, data: {}, opts: { removeOnComplete: true, removeOnFail: true } },
    );
  }

  async stop(): Promise<void> {
    await this.#worker?.close();
    await this.#queue.close();
    this.#connection.disconnect();
  }

  /** Asks about the order soon. One job an order: asking for it twice changes nothing. */
  resolve = async ({ planId, clientOrderId }: ClaimedOrder): Promise<void> => {
    await this.#queue.add(
      RESOLVE,
      { planId, negatives: 0 },
      {
        jobId: clientOrderId,
        attempts: QUESTIONS,
        backoff: { type: "custom" },
        removeOnComplete: true,
        removeOnFail: true,
        stackTraceLimit: 0,
      },
    );
  };

  /** Finds what a dead executor left SENT, and makes the jobs of all that is UNKNOWN. */
  async sweep(): Promise<void> {
    const { orders, exchange, events } = this.#options;
    let count = 0;
    for (const order of await orders.listUnsettled()) {
      // Until its window ends, a live executor may be waiting for the answer.
      if (order.state === "SENT" && exchange.now() <= order.windowEndMs) continue;
      if (order.state === "SENT" && !(await orders.doubt(order, "claimant_silent"))) continue;
      await this.resolve(order);
      count += 1;
    }
    if (count > 0) events.emit("swept", { count });
  }

  async #work(job: Job<JobData>): Promise<void> {
    if ("planId" in job.data) await this.#ask(job as Job<Question>);
    else await this.sweep();
  }

  async #ask(job: Job<Question>): Promise<void> {
    const { orders, events } = this.#options;
    const { planId, negatives: before } = job.data;
    const order = await orders.readUnsettled(planId);
    // Settled meanwhile; a later attempt's order has a job and a count of its own.
    if (order === undefined || order.clientOrderId !== job.id) return;
    const evidence = await this.#evidence(order);
    const finding = weigh(evidence, order.windowEndMs, before);
    if (finding.kind === "settle") {
      await orders.settle(order, finding.settlement);
      return;
    }
    const { negatives } = finding;
    if (negatives !== before) await job.updateData({ planId, negatives });
    events.emit("unresolved", { planId, symbol: order.symbol, negatives, asked: job.attemptsMade + 1 });
    throw new Unresolved(evidence.order?.status ?? "no such order");
  }

  /** Time first: then what is not there afterwards was not there when the window had passed. */
  async #evidence({ symbol, clientOrderId }: ClaimedOrder) {
    const { exchange } = this.#options;
    try {
      const venueMs = await exchange.serverTime();
      return { venueMs, order: await exchange.order(symbol, clientOrderId) };
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      // Unreadable is not empty: it counts neither way.
      this.#failed(`ask for ${clientOrderId}`, error);
      throw new Unresolved(error.message, error.retryAfterMs);
    }
  }

  #failed(doing: string, error: Error): void {
    this.#options.events.emit("failed", { doing, error });
  }
}

function pauseMs(asked: number, error: Error | undefined): number {
  const retryAfterMs = error instanceof Unresolved ? error.retryAfterMs : 0;
  return Math.max(retryAfterMs, Math.min(FIRST_PAUSE_MS * 2 ** (asked - 1), LONGEST_PAUSE_MS));
}
