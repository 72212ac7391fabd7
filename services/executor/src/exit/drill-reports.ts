/** What an exit of the whole account would do now, and what would stop it: what drills report. */
import type { ExitReport } from "@quantum/contract";
import { type AccountConfig, type Exchange, ExchangeError, type RuleBook } from "@quantum/exchange";
import type { PartitionJournal } from "../journal.ts";
import { untilText } from "./pause-text.ts";
import { reportOf } from "./report.ts";
import { readResting } from "./resting.ts";
import type { ExitTrust } from "./verify-exit.ts";

/** By so much an order's send window may be missed. */
const CLOCK_BOUND_MS = 1_000;

export interface DrillReportOptions {
  /** It makes requests of class `exit`. */
  exchange: Exchange;
  rules: RuleBook;
  journal: Pick<PartitionJournal, "problems">;
  trust: Pick<ExitTrust, "operatorKeys">;
  /** Redis's clock, in ms. */
  now: () => number;
}

/** @param untilMs when the drill's signature ends, by Redis's clock */
export type DrillReports = (planId: string, untilMs: number) => Promise<ExitReport>;

/**
 * What each drill found, until its signature ends. Whoever repeats the entry, in any partition, gets the same report: with an
 * exit's requests, which no limit holds back, the venue would soon ban who asks.
 */
export function createDrillReports(options: DrillReportOptions): DrillReports {
  const { exchange, rules, journal, trust, now } = options;
  const reports = new Map<string, { untilMs: number; report: Promise<ExitReport> }>();

  return (planId, untilMs) => {
    for (const [known, { untilMs: endMs }] of reports) if (endMs < now()) reports.delete(known);
    const known = reports.get(planId);
    if (known !== undefined) return known.report;
    const report = look();
    reports.set(planId, { untilMs, report });
    return report;
  };

  async function look(): Promise<ExitReport> {
    const unread: string[] = [];
    // At once, because a venue that is silent costs each of them its timeout.
    const [clock, config, positions, resting] = await Promise.all([
      orProblem("the exchange's time", unread, () => clockProblems(exchange)),
      orProblem("the account's settings", unread, () => exchange.accountConfig()),
      orProblem("the positions", unread, () => exchange.positions()),
      readResting(exchange),
    ]);
    const symbols = (positions?.rows ?? []).map(({ symbol }) => symbol);
    const rulesOf = new Map(
      await Promise.all(symbols.map(async (symbol) => [symbol, await rules.of(symbol)] as const)),
    );
    const pause = exchange.pause("orders");
    // During a pause of all requests nothing can be read, and the pause alone says so.
    const isSilenced = exchange.pause("requests") !== undefined;
    const problems = [
      ...(pause === undefined ? [] : [untilText(pause, now())]),
      ...journal.problems(),
      ...(isSilenced ? [] : [...unread, ...resting.problems]),
      ...(clock ?? []),
      ...(config === undefined ? [] : settingProblems(config)),
    ];
    const keys = trust.operatorKeys().count;
    return reportOf({ positions, resting, rulesOf: (symbol) => rulesOf.get(symbol), keys, problems }, now());
  }
}

function settingProblems({ canTrade, hedgeMode }: AccountConfig): string[] {
  return [
    ...(canTrade ? [] : ["the exchange says that the account may not trade"]),
    ...(hedgeMode ? ["the account is in hedge mode, in which no order is accepted"] : []),
  ];
}

/** Measures the venue's clock again, which mends what it finds. */
async function clockProblems(exchange: Exchange): Promise<string[]> {
  const beforeMs = exchange.now();
  const askedAt = performance.now();
  const venueMs = await exchange.serverTime();
  const tookMs = performance.now() - askedAt;
  const offMs = Math.round(Math.abs(venueMs - (beforeMs + tookMs / 2)));
  return offMs > CLOCK_BOUND_MS
    ? [`the exchange's clock was misjudged by ${offMs} ms, and is measured again now`]
    : [];
}

async function orProblem<T>(
  what: string,
  problems: string[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    problems.push(`${what} cannot be read: ${error.message}`);
    return undefined;
  }
}
