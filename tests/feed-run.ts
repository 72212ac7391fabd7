/** Some plans of the feed through a rig's services, to their end, and what the invariants say of them. */
import { DEFAULT_MARKET } from "@quantum/exchange-sim";
import {
  checkInvariants,
  collectEvidence,
  drain,
  eventually,
  History,
  patienceMs,
  switchStrategy,
  StreamTail,
  STUCK_MS,
  waitForEnd,
} from "@quantum/harness";
import { expect } from "vitest";
import type { Rig, RigRedis } from "@quantum/harness/rig";

const DRAIN_MS = 10_000;

/** More than the pipeline settles. */
const RATE_PER_SEC = 500;

/** Positions so large that nothing is too small to close, however many plans of a symbol wait at once. */
export const LARGE_MARKET = DEFAULT_MARKET.map((spec) => ({
  ...spec,
  positionAmt: String(Number(spec.positionAmt) * 1_000),
}));

/**
 * A snapshot may be older than the fill before it. After a full close the feed may so propose to close what is closed, and
 * an issuer rightly denies it.
 */
export const isOfFlatPosition = ({ reason, detail }: { reason: string; detail: string }): boolean =>
  ["governor_permit_denied position_fetch_failed", "p33_permit_denied no_position"].includes(
    `${reason} ${detail}`,
  );

export interface FeedOptions {
  /** Default: more than the pipeline settles. */
  ratePerSec?: number;
  /** Runs once a third of the plans have ended, beside the others. */
  meanwhile?: () => Promise<void>;
}

/** Expects that every plan ends and every invariant holds. @returns what the streams told, and what was checked */
export async function runFeed(
  rig: Rig<RigRedis>,
  plans: number,
  requiredIssuers: readonly string[],
  { ratePerSec = RATE_PER_SEC, meanwhile = async () => undefined }: FeedOptions = {},
) {
  const { stored: redis, venueUrl, keysFolder } = rig;
  const history = new History();
  const tail = new StreamTail(redis, history);
  try {
    await rig.start("harvest-feed", {
      FEED_RATE: String(ratePerSec),
      FEED_MAX: String(plans),
      FEED_SEED: "7",
    });
    let begun: Promise<void> | undefined;
    const end = await waitForEnd({
      history,
      isDone: () => history.ended.size >= plans,
      onLook: () => {
        if (history.ended.size >= plans / 3) begun ??= meanwhile();
      },
      stuckMs: patienceMs(STUCK_MS),
      signal: new AbortController().signal,
    });
    expect([end, history.ended.size]).toEqual(["done", plans]);
    await begun;
    await switchStrategy(venueUrl, false);
    expect(await drain({ redis, history, tail, deadlineMs: patienceMs(DRAIN_MS) })).toEqual([]);
    const sources = { redis, exchangeUrl: venueUrl, history, requiredIssuers, keysFolder, halts: [] };
    // The ledger follows the last fill with the next refresh.
    const findings = await eventually(
      async () => {
        const found = checkInvariants(await collectEvidence(sources));
        return found.I7.violations.length === 0 ? found : undefined;
      },
      DRAIN_MS,
      "the ledgers equal the fills",
    );
    const broken = Object.entries(findings).filter(
      ([, { violations, checked }]) => violations.length > 0 || checked === 0,
    );
    expect(broken).toEqual([]);
    expect(history.plans.length).toBe(plans);
    return { history, findings };
  } finally {
    await tail.stop();
  }
}
