/** Logs and metrics of the booking of the account's events. */
import { ORDER_ORIGINS } from "@quantum/exchange";
import type { Logger } from "@quantum/service-kit";
import { Counter, Gauge, type Registry } from "prom-client";
import { READ_REASONS } from "./account-reading.ts";
import type { Booker, ForeignOrigin } from "./booker.ts";
import type { Lease } from "./lease.ts";
import type { PairRefresh } from "./refresh.ts";

export interface ObservedBooking {
  booker: Booker;
  lease: Lease;
  refresh: PairRefresh;
  allowlist: ReadonlySet<string>;
  registry: Registry;
  log: Logger;
}

const MS_PER_SEC = 1_000;

export function observeBooking(observed: ObservedBooking, labelOf: (symbol: string) => string): void {
  observeLease(observed);
  observeBooks(observed, labelOf);
  observeForeignFills(observed);
}

function observeLease({ booker, lease, registry, log }: ObservedBooking): void {
  const registers = [registry];
  new Gauge({
    name: "p33_booking",
    help: "1 on the replica that books the account's events, 0 on those that stand by",
    registers,
    collect() {
      this.set(booker.isBooking ? 1 : 0);
    },
  });
  new Gauge({
    name: "p33_account_read_age_seconds",
    help: "Time since this replica last read the whole account by REST; +Inf before",
    registers,
    collect() {
      this.set((performance.now() - booker.account.readAtMs) / MS_PER_SEC);
    },
  });
  booker.on("began", () => log.info("this replica books the account's events from now on"));
  booker.on("ended", () =>
    log.warn({ owner: lease.owner }, "this replica no longer books the account's events"),
  );
  lease.on("failed", (error) =>
    log.error({ err: error }, "failed to ask who books the account's events, trying again"),
  );
}

function observeBooks(
  { booker, refresh, allowlist, registry, log }: ObservedBooking,
  labelOf: (symbol: string) => string,
): void {
  const registers = [registry];
  const booked = new Counter({
    name: "p33_booked_total",
    help: "Pairs stored from the account's events, without a request to the exchange",
    labelNames: ["symbol"],
    registers,
  });
  booker.on("booked", ({ symbol, pair }) => {
    booked.inc({ symbol: labelOf(symbol) });
    log.debug({ symbol, amt: pair.ledger.amt, trade: pair.ledger.lastTradeId }, "events booked");
  });
  const reads = new Counter({
    name: "p33_reads_total",
    help: "Readings of one symbol, or of all, by REST, by reason",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of READ_REASONS) reads.inc({ reason }, 0);
  booker.on("read", ({ symbol, reason }) => {
    reads.inc({ reason });
    log.debug({ symbol, reason }, "the exchange is asked for positions");
  });
  booker.on("failed", ({ symbol, error }) =>
    log.error({ symbol, err: error }, `${symbol}: its events are not booked yet, trying again`),
  );
  const misbooked = new Counter({
    name: "p33_misbooked_total",
    help: "Readings by REST whose trades were not those that the events had told; the ledger follows the trades",
    labelNames: ["symbol"],
    registers,
  });
  for (const symbol of allowlist) misbooked.inc({ symbol }, 0);
  refresh.on("misbooked", ({ symbol, booked: bookedAmt, counted: countedAmt }) => {
    misbooked.inc({ symbol: labelOf(symbol) });
    log.error(
      { symbol, bookedAmt, countedAmt },
      `${symbol}: its ledger was wrong since a reading by REST: the events had told other fills than the account's trades; it follows the trades now`,
    );
  });
}

const FOREIGN: Readonly<Record<ForeignOrigin, string>> = {
  liquidation: "the exchange has liquidated",
  adl: "the exchange has deleveraged (ADL)",
  settlement: "the exchange has settled",
  other: "somebody else has traded",
};

function observeForeignFills({ booker, registry, log }: ObservedBooking): void {
  const fills = new Counter({
    name: "quantum_exchange_foreign_fills_total",
    help: "Fills of the account's orders that this pipeline did not place, as far as events told them, by kind",
    labelNames: ["kind"],
    registers: [registry],
  });
  for (const kind of ORDER_ORIGINS) if (kind !== "ours") fills.inc({ kind }, 0);
  booker.on("foreignFill", ({ origin, event: { symbol, side, orderId, clientOrderId, fill } }) => {
    fills.inc({ kind: origin });
    const line = `${symbol}: ${FOREIGN[origin]}: ${side} ${fill?.qty} at ${fill?.price || "an unknown price"}`;
    const details = { symbol, kind: origin, side, qty: fill?.qty, orderId, clientOrderId };
    if (origin === "liquidation" || origin === "adl") log.error(details, line);
    else log.warn(details, line);
  });
}
