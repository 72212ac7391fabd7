/**
 * A drill does all that an exit of the whole account does, except to cancel and to send: its signature is verified, the
 * account is read, and its plan ends with a report in its record. No executor cancels or sends anything for a drill.
 */
import type { ExitReport } from "@quantum/contract";
import { type AccountConfig, type Exchange, ExchangeError } from "@quantum/exchange";
import type { Disposition } from "@quantum/streams";
import { orderOf } from "../order.ts";
import { NO_ORDER } from "./exit-order.ts";
import type { ExitEntry, ExitOptions } from "./exit-options.ts";
import { untilText } from "./pause-text.ts";
import { reportOf } from "./report.ts";
import { readResting } from "./resting.ts";
import type { VerifiedExit } from "./verify-exit.ts";

/** By so much an order's send window may be missed. */
const CLOCK_BOUND_MS = 1_000;

/** @param options `exchange` makes requests of class `exit` */
export function createDrill(options: ExitOptions) {
  const { orders, exchange, rules, journal, events, steps, told, state, trust, now } = options;
  /**
   * What each drill found, until its signature ends. Whoever repeats the entry gets the same report: with an exit's requests,
   * which no limit holds back, the venue would soon ban who asks.
   */
  const reports = new Map<string, { untilMs: number; report: Promise<ExitReport> }>();

  return async (
    { entryId, entry }: ExitEntry,
    { operator, untilMs }: VerifiedExit & { kind: "drill" },
  ): Promise<Disposition> => {
    const order = orderOf(entryId, entry, NO_ORDER);
    const report = await reportFor(order.planId, untilMs);
    await told.report(order, report);
    const claimed = await orders.claim({
      entryId,
      entry: { ...entry, valid_until_ms: Math.min(entry.valid_until_ms, untilMs) },
      intent: NO_ORDER,
      clientOrderId: order.clientOrderId,
      venueMs: exchange.now(),
      windowMs: options.recvWindowMs,
      isVerified: true,
      passesHalts: true,
      class: "drill",
      refusal: "exit_drill",
      detail: "",
      signatures: {},
    });
    if (claimed.kind === "claimed") throw new Error("a drill was claimed");
    if (claimed.kind === "ended") {
      const { positions, cancels, hindrances } = report;
      const found = { positions: positions.length, cancels: cancels.length, hindrances };
      events.emit("drilled", { planId: order.planId, operator, ...found });
      // One that could not read the account proves nothing.
      if (report.complete) await state.drilled(operator);
    }
    return steps.unclaimed(claimed, order, undefined);
  };

  function reportFor(planId: string, untilMs: number): Promise<ExitReport> {
    for (const [known, { untilMs: endMs }] of reports) if (endMs < now()) reports.delete(known);
    const known = reports.get(planId);
    if (known !== undefined) return known.report;
    const report = look();
    reports.set(planId, { untilMs, report });
    return report;
  }

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
