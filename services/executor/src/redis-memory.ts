/**
 * Knows since when Redis has lost no data. A restart loses what was not yet in the log (up to a second with
 * `appendfsync everysec`), a failover what the replica had not received, a FLUSHALL everything. The claim of an order that
 * was sent may be among it. So a plan that was proposed before a loss is suspect, even if it opened later: an earlier
 * opening may have been lost too. Of later plans, Redis knows everything.
 *
 * Two marks show a loss: Redis's replication id, which is new after each start and each promotion of a master, and a key of ours,
 * which is lost with the keyspace. The key names that id and the time of the loss, for an executor that has not seen it. The run id
 * would not do: a master that was replaced, and then takes the place of its successor, still has it.
 */
import { randomUUID } from "node:crypto";
import type { ExecuteEntry, Keys } from "@quantum/contract";
import { type RedisClient, wholeMs } from "@quantum/redis";
import type { ExecutorEvents } from "./events.ts";

const MS_PER_SECOND = 1000;
const US_PER_MS = 1000;
/** How far a publisher's clock may be ahead of Redis's: the apply-layer refuses proposals from further in the future. */
const PUBLISHER_AHEAD_MS = 5_000;
/** Readings differ by the time that answers take. If they differ by more, Redis's clock has stepped. */
const STEP_MS = 1_000;
/** The value of `order:epoch`. What has another form counts as of another replication id. */
const EPOCH = /^(\w+):(\d{1,15}):/;

type Proposed = Pick<ExecuteEntry, "opened_at_ms" | "proposed_ms">;

export class RedisMemory {
  readonly #redis: RedisClient;
  readonly #keys: Keys;
  readonly #events: ExecutorEvents;
  readonly #onLoss: () => void;
  #replicationId: string | undefined;
  #epoch: string | undefined;
  /** Plans proposed before this are suspect, by Redis's clock. Lowered when the clock has stepped back behind it. */
  #sinceMs = 0;
  /** The same, never lowered: the clock may step forward again, past plans from before the loss. */
  #foundSinceMs = 0;
  /** The same by the monotonic clock, in case Redis's clock was behind when the loss was found. */
  #sinceAt = 0;
  /** The latest of these three that does not lie in the future, at the last `announce`. */
  #suspectUntilMs = 0;
  /** By Redis's clock, at the last `announce`. */
  #nowMs = 0;
  /** The latest reading of that clock, and when it was asked for by the monotonic one. */
  #reading: { ms: number; at: number } | undefined;
  /** Redis's clock has stepped back behind a loss, so a plan from before it may now lie in the future. */
  #isSteppedBack = false;
  #checked: Promise<void>;

  /** @param onLoss called for the first Redis that is seen as well: what it lost before is not known */
  constructor(redis: RedisClient, keys: Keys, events: ExecutorEvents, onLoss: () => void = () => undefined) {
    this.#redis = redis;
    this.#keys = keys;
    this.#events = events;
    this.#onLoss = onLoss;
    this.#checked = this.#startCheck();
    // Another connection may lead to another Redis. "ready" comes before the answer to any command on it.
    redis.on("ready", () => void this.#startCheck());
  }

  /**
   * Announces the symbol of an entry, so that recovery finds its claim, and asks whether the keyspace that it is written
   * into is the one that is known here. Without a symbol it only asks: nobody may lengthen the list of symbols by an entry that is not
   * believed.
   */
  async announce(symbol: string | undefined): Promise<void> {
    const askedAt = performance.now();
    const asking = this.#redis.pipeline().get(this.#keys.orderEpoch).time();
    if (symbol !== undefined) asking.sadd(this.#keys.orderSymbols, symbol);
    const replies = await asking.exec();
    // After the answers: what a server refuses, as one that was master until now does, is answered by the next connection.
    await this.#known();
    const [epoch, time] = replies ?? [];
    const error = replies?.find(([failure]) => failure !== null)?.[0];
    if (error) throw error;
    if (epoch?.[1] !== this.#epoch) await this.#startCheck();
    this.#nowMs = wholeMs((time?.[1] ?? []) as string[]);
    // A loss that lies in the future would make every plan suspect for as long as that future is away.
    if (this.#sinceMs > this.#nowMs + PUBLISHER_AHEAD_MS) {
      this.#sinceMs = this.#nowMs + PUBLISHER_AHEAD_MS;
      this.#isSteppedBack = true;
    }
    this.#reading = { ms: this.#nowMs, at: askedAt };
    const monotonicMs = this.#nowMs - (askedAt - this.#sinceAt);
    this.#suspectUntilMs = Math.max(
      monotonicMs > this.#sinceMs + STEP_MS ? monotonicMs : 0,
      this.#foundSinceMs <= this.#nowMs + PUBLISHER_AHEAD_MS ? this.#foundSinceMs : 0,
    );
  }

  /** Of the Redis whose memory is known here; as of the last `announce`. */
  get replicationId(): string {
    return this.#replicationId ?? "";
  }

  /** Call it when Redis has another {@link replicationId}: that changes without a loss, too, and on the same connection. */
  async ask(): Promise<void> {
    await this.#startCheck();
  }

  /** Whether an order of the plan may have been sent that Redis knows nothing of; as of the last `announce`. */
  mayHaveForgotten({ opened_at_ms: openedAtMs, proposed_ms: proposedMs }: Proposed): boolean {
    const madeMs = proposedMs ?? openedAtMs;
    const sinceMs = Math.max(this.#sinceMs, this.#suspectUntilMs);
    return madeMs < sinceMs || (this.#isSteppedBack && madeMs > this.#nowMs);
  }

  /**
   * The same of a plan that has been claimed just now. The claim may have been answered on a newer connection than `announce` was, and
   * then proves nothing: what was found out about its Redis counts.
   */
  async mayHaveForgottenBefore(plan: Proposed): Promise<boolean> {
    await this.#known();
    return this.mayHaveForgotten(plan);
  }

  /** Resolves once the Redis of the last connection is known. */
  async #known(): Promise<void> {
    await this.#checked.catch(() => this.#startCheck());
  }

  /** At once and not when the answer is needed: plans opened while it is on its way would be suspected for nothing. */
  #startCheck(): Promise<void> {
    this.#checked = this.#check();
    this.#checked.catch(() => undefined);
    return this.#checked;
  }

  async #check(): Promise<void> {
    const askedAt = performance.now();
    const info = await this.#redis.info("server", "replication");
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
    const replicationId = field("master_replid");
    const nowMs = Math.floor(Number(field("server_time_usec")) / US_PER_MS);
    const uptimeMs = Number(field("uptime_in_seconds")) * MS_PER_SECOND;
    if (replicationId === "" || !(nowMs > 0) || Number.isNaN(uptimeMs))
      throw new Error("INFO server replication: unreadable answer");
    const isFirst = this.#replicationId === undefined;
    const carriedMs = this.#carriedMs(askedAt);
    // The clock of another master may be behind the one that dated the plans until now.
    const lossMs = (carriedMs > nowMs + STEP_MS ? carriedMs : nowMs) + PUBLISHER_AHEAD_MS;
    // Without our key, a Redis seen for the first time may be a new one: nothing is known of what came before now.
    const absentMs = isFirst ? nowMs : lossMs;
    const epoch = await this.#readEpoch(replicationId, { absentMs, otherMs: lossMs });
    if (replicationId === this.#replicationId && epoch.value === this.#epoch) return;
    if (isFirst) {
      // It may be long up: its uptime is whole seconds, so it started up to one later. But a replica was up long before it
      // became master, and another executor may have found a loss since: our key tells of both.
      const startedMs = Math.min(nowMs, nowMs - uptimeMs + MS_PER_SECOND);
      this.#sinceMs = Math.max(startedMs, epoch.sinceMs);
      // Below 0: it started while its clock was ahead, and that time has not come yet.
      this.#isSteppedBack = uptimeMs < 0;
    } else {
      this.#sinceMs = lossMs;
      this.#events.emit("rewound", { sinceMs: this.#sinceMs });
    }
    this.#foundSinceMs = this.#sinceMs;
    this.#sinceAt = askedAt + this.#sinceMs - nowMs;
    this.#replicationId = replicationId;
    this.#epoch = epoch.value;
    this.#onLoss();
  }

  /** What the clock of the last reading would say now; 0 if there was none. */
  #carriedMs(at: number): number {
    const { ms = 0, at: readAt = at } = this.#reading ?? {};
    return ms + Math.floor(at - readAt);
  }

  /**
   * The executor that finds the key absent, or of another replication id, writes it: the id, since when Redis has lost nothing, and
   * a value that was never used before. So whoever starts later knows of the loss, even if the one that found it is gone.
   */
  async #readEpoch(
    replicationId: string,
    { absentMs, otherMs }: { absentMs: number; otherMs: number },
  ): Promise<{ value: string; sinceMs: number }> {
    const make = (sinceMs: number) => ({ value: `${replicationId}:${sinceMs}:${randomUUID()}`, sinceMs });
    const ifAbsent = make(absentMs);
    const there = await this.#redis.set(this.#keys.orderEpoch, ifAbsent.value, "NX", "GET");
    if (there === null) return ifAbsent;
    const [, id, since] = EPOCH.exec(there) ?? [];
    if (id === replicationId) return { value: there, sinceMs: Number(since) };
    const ofThis = make(otherMs);
    await this.#redis.set(this.#keys.orderEpoch, ofThis.value);
    return ofThis;
  }
}
