/**
 * A drill does all that an exit of the whole account does, except to cancel and to send: its signature is verified, the
 * account is read, and its plan ends with a report in its record. No executor cancels or sends anything for a drill.
 */
import { type Exchange, ExchangeError } from "@quantum/exchange";
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

  return async (
    { entryId, entry }: ExitEntry,
    { operator, untilMs }: VerifiedExit & { kind: "drill" },
  ): Promise<Disposition> => {
    const order = orderOf(entryId, entry, NO_ORDER);
    const report = await look();
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

  async function look() {
    const problems = [...pauses(), ...journal.problems()];
    const clock = await orProblem("the exchange's time", problems, () => clockProblems(exchange));
    problems.push(...(clock ?? []));
    const config = await orProblem("the account's settings", problems, () => exchange.accountConfig());
    if (config?.canTrade === false) problems.push("the exchange says that the account may not trade");
    if (config?.hedgeMode === true)
      problems.push("the account is in hedge mode, in which no order is accepted");
    const positions = await orProblem("the positions", problems, () => exchange.positions());
    const resting = await readResting(exchange);
    const rulesOf = new Map(
      await Promise.all(
        (positions?.rows ?? []).map(async ({ symbol }) => [symbol, await rules.of(symbol)] as const),
      ),
    );
    const found = {
      positions,
      resting,
      rulesOf: (symbol: string) => rulesOf.get(symbol),
      keys: trust.operatorKeys().count,
      problems,
    };
    return reportOf(found, now());
  }

  function pauses(): string[] {
    const pause = exchange.pause("orders");
    return pause === undefined ? [] : [untilText(pause, now())];
  }
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
