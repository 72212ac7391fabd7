/**
 * Case 10, only by name: the pipeline at an exchange with the venue's limits, while the user data stream works, is cut,
 * is back, and is open but silent.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import type { Bench, Case } from "../bench.ts";
import type { Contender } from "../contender.ts";
import { Latency } from "../latency.ts";
import type { Figures } from "../measure.ts";
import { openLoop } from "../open-loop.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { field, StreamReader } from "../stream-reader.ts";
import { faultOfStream, readTrades, readUsage, since, type Trade } from "../venue.ts";
import { behindSec, bookedDelaysMs, knownAgainSec, type Look, VenueWatch } from "../venue-watch.ts";

const SYMBOLS = 30;
const RATE_PER_SEC = 10;
const WARM_UP_SEC = 5;
/** How long each part lasts. */
const FULL_SEC = { told: 600, cut: 120, back: 60, silent: 30 };
/** Without the stream, the weight of 10 plans/s reaches its limits in less than half a minute. */
const QUICK_SEC = { told: 30, cut: 40, back: 25, silent: 20 };
const MINUTE_SEC = 60;
/** The stream is back in the middle of a minute whose weight is spent: in the next one, anything would catch up. */
const BACK_AT_SEC = 30;
/** What has not ended by then counts as unfinished. */
const DRAIN_MS = 5_000;
/** A result that waits longer at P3.3 is late. */
const PENDING_MS = 1_000;
/** `P33_STALE_THRESHOLD_SEC`. */
const STALE_SEC = 10;

interface Part {
  load: string;
  fromMs: number;
  untilMs: number;
  figures: Figures;
}

export const venue: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const sec = bench.size === "quick" ? QUICK_SEC : FULL_SEC;
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    const urls = await startServices({ rig, symbols, mode: "paper", hasLimits: true });
    const venueUrl = urls.get("exchange-sim") ?? "";
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "settled" });
    const watch = new VenueWatch(rig, venueUrl, symbols);
    const run = new Run(bench, { pipeline, watch, venueUrl });
    const reader = await StreamReader.open(rig.url, createKeys().streams.result, (_, fields) =>
      run.count(fields),
    );
    watch.start();

    await run.part("warm-up", WARM_UP_SEC);
    const told = await run.part(`${RATE_PER_SEC} plans/s`, sec.told + untilCutSec(sec.told + sec.cut));
    await faultOfStream(venueUrl, { kind: "disconnect", ms: sec.cut * 1_000 });
    const cut = await run.part("stream cut", sec.cut);
    const back = await run.part("stream back", sec.back);
    await faultOfStream(venueUrl, { kind: "silent", ms: sec.silent * 1_000 });
    const silent = await run.part("socket silent", sec.silent);
    await delay(DRAIN_MS);

    watch.stop();
    run.addFills(await readTrades(venueUrl), [told, cut, back, silent]);
    Object.assign(back.figures, caughtUp(watch.looks, back));
    silent.figures["all positions read again after, s"] = knownAgainSec(watch.looks, silent.fromMs);
    silent.figures["plans without a result at the end"] = run.underWay;
    for (const { load, figures } of [told, cut, back, silent])
      bench.results.add({ case: "venue", load, system: pipeline.name }, figures);
    await Promise.all([reader.stop(), pipeline.stop()]);
  } finally {
    await rig.stop();
  }
};

/** @param leftSec until the stream is back, if nobody waits */
function untilCutSec(leftSec: number): number {
  const backSec = Date.now() / 1_000 + leftSec;
  return Math.round(MINUTE_SEC + BACK_AT_SEC - (backSec % MINUTE_SEC)) % MINUTE_SEC;
}

/** How long after the stream's return each was still behind. */
function caughtUp(looks: readonly Look[], { fromMs, untilMs }: Part): Figures {
  const own = looks.filter(({ atMs }) => atMs < untilMs);
  const sockets = Math.max(...looks.map((look) => look.sockets));
  return {
    "streams connected after, s": behindSec(own, fromMs, (look) => look.sockets < sockets),
    "results caught up after, s": behindSec(own, fromMs, ({ pendingMs }) => pendingMs > PENDING_MS),
    "snapshots not stale after, s": behindSec(own, fromMs, (look) => ageSec(look) > STALE_SEC),
  };
}

const ageSec = ({ atMs, knownSec }: Look) => atMs / 1_000 - knownSec;

class Run {
  readonly #bench: Bench;
  readonly #parts: { pipeline: Contender; watch: VenueWatch; venueUrl: string };
  readonly #dueMs = new Map<number, number>();
  #nextIndex = 0;
  #figures: Figures = {};
  #latency = new Latency();
  #lastDenialMs = 0;

  constructor(bench: Bench, parts: { pipeline: Contender; watch: VenueWatch; venueUrl: string }) {
    this.#bench = bench;
    this.#parts = parts;
    parts.pipeline.onVerdict = (index, isOk, atMs) => {
      const dueMs = this.#dueMs.get(index) ?? Number.NaN;
      this.#dueMs.delete(index);
      if (isOk) this.#latency.record(atMs - dueMs);
    };
  }

  /** Plans that have no result yet. */
  get underWay(): number {
    return this.#dueMs.size;
  }

  /** A result counts in the part in which it is written. */
  count(fields: readonly string[]): void {
    const [outcome, reason, detail] = ["outcome", "reason", "detail"].map((name) => field(fields, name));
    if (outcome === "EXECUTED") return this.#add("plans settled");
    // The issuer's reason, which is one of a closed set.
    if (reason?.endsWith("_permit_denied")) {
      this.#lastDenialMs = Date.now();
      return this.#add(`denied: ${detail}`);
    }
    this.#add(`ended: ${outcome} ${reason}`);
  }

  async part(load: string, sec: number): Promise<Part> {
    const { pipeline, watch, venueUrl } = this.#parts;
    this.#bench.progress(`venue: ${load}, ${sec} s`);
    const figures: Figures = (this.#figures = { "plans settled": 0 });
    const latency = (this.#latency = new Latency());
    this.#lastDenialMs = 0;
    const before = await readUsage(venueUrl);
    const fromMs = Date.now();
    await openLoop({
      ratePerSec: RATE_PER_SEC,
      count: RATE_PER_SEC * sec,
      send: (tick, dueMs) => {
        this.#dueMs.set(this.#nextIndex + tick, dueMs);
        pipeline.publish(this.#nextIndex + tick);
      },
    });
    this.#nextIndex += RATE_PER_SEC * sec;
    const after = await readUsage(venueUrl);
    const untilMs = Date.now();
    const looks = watch.looks.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
    const { p50, p99 } = latency.percentiles();
    Object.assign(figures, {
      "plans proposed": RATE_PER_SEC * sec,
      "settled p50, ms": p50,
      "settled p99, ms": p99,
      "answers 429": after.limits.refused - before.limits.refused,
      "answers 418": after.limits.banned - before.limits.banned,
      "orders answered 429": after.limits.ordersRefused - before.limits.ordersRefused,
      "peak weight of a minute, % of the limit": 100 * Math.max(...looks.map((look) => look.weightShare)),
      "oldest snapshot, s": Math.max(...looks.map(ageSec)),
      "oldest unbooked result, s": Math.max(...looks.map(({ pendingMs }) => pendingMs)) / 1_000,
      "last denial after, s": this.#lastDenialMs === 0 ? 0 : (this.#lastDenialMs - fromMs) / 1_000,
      ...since(before, after),
    });
    return { load, fromMs, untilMs, figures };
  }

  /** From a fill's event, which has its time, to the ledger that contains it. */
  addFills(trades: readonly Trade[], parts: readonly Part[]): void {
    const { stores } = this.#parts.watch;
    for (const { figures, fromMs, untilMs } of parts) {
      const own = trades.filter(({ timeMs }) => timeMs >= fromMs && timeMs < untilMs);
      const latency = new Latency();
      for (const ms of bookedDelaysMs(own, stores, Date.now())) latency.record(ms);
      const { count, p50, p99, max } = latency.percentiles();
      figures["fills"] = count;
      figures["fill to ledger p50, ms"] = p50;
      figures["fill to ledger p99, ms"] = p99;
      figures["fill to ledger max, ms"] = max;
    }
  }

  #add(name: string): void {
    this.#figures[name] = (this.#figures[name] ?? 0) + 1;
  }
}
