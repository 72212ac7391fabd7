/**
 * How long plans waited in the last hour, and why they were blocked, minute by minute; and the last verdicts. Counts, so that it
 * stays as small as it is however many plans come. Pure.
 */
import type { LastWait } from "./waits.ts";
import type { PlanRow } from "./plan-rows.ts";

/** Of the last hour, as far as the streams went back when it began. */
export interface WaitHistory {
  /** Upper bounds of the classes of wait_ms; the last class has none. */
  boundsMs: readonly number[];
  /** Oldest first, without gaps. */
  minutes: readonly WaitMinute[];
}

export interface WaitMinute {
  startMs: number;
  /** Plans permitted and blocked, by class of their wait. */
  permitted: readonly number[];
  blocked: readonly number[];
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  /** How often each reason blocked or skipped a plan; of a denial, the issuer's own reason. */
  reasons: Readonly<Record<string, number>>;
}

const BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1_200, 2_500];
const MINUTE_MS = 60_000;
const MINUTES = 60;
/** Longer waits count as this one in the percentiles. */
const WAIT_MAX_MS = 60_000;
/** Reasons are a closed set, but anybody who may write to the stream may write another one. */
const REASONS_MAX = 100;
const REASON_MAX_CHARS = 100;
const OTHER = "other";
const SYMBOLS_MAX = 1_000;
const MEDIAN = 0.5;
const P99 = 0.99;

interface Minute {
  permitted: number[];
  blocked: number[];
  /** wait_ms → how often. */
  waits: Map<number, number>;
  reasons: Map<string, number>;
  /** What is told of it, until something is added. */
  told: WaitMinute | undefined;
}

export class WaitTally {
  /** Stream → the id up to which it has been counted; empty before it begins. */
  readonly after = new Map<string, string>();
  /** Stream → its end when the tally began, until it has been counted that far. */
  readonly toldAfter = new Map<string, string>();
  #knownFromMs = 0;
  #lastOk: LastWait | undefined;
  #lastBlock: LastWait | undefined;
  readonly #lastOf = new Map<string, PlanRow>();
  readonly #minutes = new Map<number, Minute>();

  get hasBegun(): boolean {
    return this.after.size > 0;
  }

  /** @param knownFromMs what came before is not known: the streams had been trimmed */
  begin(after: ReadonlyMap<string, string>, ends: ReadonlyMap<string, string>, knownFromMs: number): void {
    for (const [stream, id] of after) this.after.set(stream, id);
    for (const [stream, id] of ends) this.toldAfter.set(stream, id);
    this.#knownFromMs = knownFromMs;
  }

  get lastOk(): LastWait | undefined {
    return this.#lastOk;
  }

  get lastBlock(): LastWait | undefined {
    return this.#lastBlock;
  }

  /** The last result of a symbol that it has seen. */
  lastResultOf(symbol: string): PlanRow | undefined {
    return this.#lastOf.get(symbol);
  }

  /** A wait that ended; the older of two that come out of order does not replace the newer. */
  addWait(wait: LastWait): void {
    const minute = this.#minuteOf(wait.atMs);
    const isOk = wait.kind === "ok";
    const last = isOk ? this.#lastOk : this.#lastBlock;
    if (last === undefined || last.atMs <= wait.atMs) {
      if (isOk) this.#lastOk = wait;
      else this.#lastBlock = wait;
    }
    if (!(wait.waitMs >= 0)) return;
    const counts = isOk ? minute.permitted : minute.blocked;
    const above = BOUNDS_MS.findIndex((bound) => wait.waitMs <= bound);
    const index = above === -1 ? BOUNDS_MS.length : above;
    counts[index] = (counts[index] ?? 0) + 1;
    const waitMs = Math.min(Math.round(wait.waitMs), WAIT_MAX_MS);
    minute.waits.set(waitMs, (minute.waits.get(waitMs) ?? 0) + 1);
  }

  /** How an attempt ended. */
  addResult(row: PlanRow): void {
    this.#lastOf.delete(row.symbol);
    this.#lastOf.set(row.symbol, row);
    if (this.#lastOf.size > SYMBOLS_MAX) this.#lastOf.delete(this.#lastOf.keys().next().value ?? "");
    if (row.outcome !== "BLOCKED" && row.outcome !== "SKIP" && row.outcome !== "ERROR") return;
    const { reasons } = this.#minuteOf(row.atMs);
    const why = (row.reason.endsWith("_permit_denied") && row.detail) || row.reason || OTHER;
    const short = why.slice(0, REASON_MAX_CHARS);
    const reason = reasons.has(short) || reasons.size < REASONS_MAX ? short : OTHER;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }

  history(nowMs: number): WaitHistory {
    const last = startOf(nowMs);
    const first = Math.max(last - (MINUTES - 1) * MINUTE_MS, startOf(this.#knownFromMs));
    const minutes: WaitMinute[] = [];
    for (let startMs = first; startMs <= last; startMs += MINUTE_MS) {
      const minute = this.#minutes.get(startMs);
      minutes.push(minute === undefined ? emptyMinute(startMs) : (minute.told ??= tell(startMs, minute)));
    }
    return { boundsMs: BOUNDS_MS, minutes };
  }

  #minuteOf(atMs: number): Minute {
    const startMs = startOf(atMs);
    let minute = this.#minutes.get(startMs);
    if (minute === undefined) {
      minute = { ...emptyCounts(), waits: new Map(), reasons: new Map(), told: undefined };
      this.#minutes.set(startMs, minute);
      // One more than is told, so that entries a little late do not push out what is.
      if (this.#minutes.size > MINUTES + 1) this.#minutes.delete(Math.min(...this.#minutes.keys()));
    }
    minute.told = undefined;
    return minute;
  }
}

function startOf(atMs: number): number {
  return Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
}

function emptyCounts() {
  const none = () => Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  return { permitted: none(), blocked: none() };
}

function emptyMinute(startMs: number): WaitMinute {
  return { startMs, ...emptyCounts(), p50Ms: undefined, p99Ms: undefined, reasons: {} };
}

function tell(startMs: number, { permitted, blocked, waits, reasons }: Minute): WaitMinute {
  const sorted = [...waits].toSorted(([a], [b]) => a - b);
  return {
    startMs,
    permitted: [...permitted],
    blocked: [...blocked],
    p50Ms: percentile(sorted, MEDIAN),
    p99Ms: percentile(sorted, P99),
    reasons: Object.fromEntries(reasons),
  };
}

/** By nearest rank. */
function percentile(counts: readonly (readonly [value: number, count: number])[], share: number) {
  const rank = Math.ceil(share * counts.reduce((sum, [, count]) => sum + count, 0));
  let seen = 0;
  for (const [value, count] of counts) {
    seen += count;
    if (seen >= rank) return value;
  }
  return undefined;
}
