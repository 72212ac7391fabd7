/** Bugs of the account's events: what is booked of them, and when they are not enough. */
import type { Mutant } from "./mutant.ts";

const BRAIN = "services/position-brain/src";

export const EVENT_MUTANTS: readonly Mutant[] = [
  {
    bug: "what an order has executed is counted by events and again by its trades",
    edits: [
      {
        file: `${BRAIN}/reconcile.ts`,
        find: "known === undefined || qty.gt(known) ? qty.toFixed() : known",
        replace: "qty.plus(known ?? 0).toFixed()",
      },
    ],
    test: `${BRAIN}/reconcile.test.ts`,
  },
  {
    bug: "a result ends its reservation although the position does not include its fills yet",
    edits: [
      {
        file: `${BRAIN}/booked-fills.ts`,
        find: "return agrees(pair) && includes(",
        replace: "return agrees !== undefined && includes(",
      },
    ],
    test: `${BRAIN}/booked-results.test.ts`,
  },
  {
    bug: "an execution that REST has told has no cooldown",
    edits: [
      {
        file: `${BRAIN}/booked-fills.ts`,
        find: "return isNoted || this.#noteExecution(symbol, execution);",
        replace: "return isNoted || execution !== undefined;",
      },
    ],
    test: `${BRAIN}/booked-results.test.ts`,
  },
  {
    bug: "an event that comes twice is counted twice",
    edits: [
      {
        file: `${BRAIN}/tally.ts`,
        find: "if (fill === undefined || this.#seen.has(fill.tradeId)) return false;",
        replace: "if (fill === undefined) return false;",
      },
      {
        file: `${BRAIN}/tally.ts`,
        find: "if (id <= this.#base.tradeId || this.#fills.has(fill.tradeId)) return true;",
        replace: "if (id <= this.#base.tradeId) return true;",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "a position that comes late replaces a newer one",
    edits: [
      {
        file: `${BRAIN}/tally.ts`,
        find: "    if (timeMs < newest.timeMs) return;\n",
        replace: "",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "a fill is counted with a position that is older than it",
    edits: [
      {
        file: `${BRAIN}/tally.ts`,
        find: "if (fill.timeMs > this.#position.timeMs) {",
        replace: "if (fill.timeMs > this.#position.timeMs + 1_000_000) {",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "a pair is stored from events whose fills do not explain the position",
    edits: [
      {
        file: `${BRAIN}/tally.ts`,
        find: "position === undefined || !amt.eq(position.positionAmt) || !this.#explainsAll(amt)",
        replace: "position === undefined",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "an order may have filled more than the events have told",
    edits: [
      {
        file: `${BRAIN}/booking.ts`,
        find: "this.#orders.isTold ? this.#tally.sum() : undefined",
        replace: "this.#tally.sum()",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "a reading that had begun before the gap closes it",
    edits: [
      {
        file: `${BRAIN}/booking.ts`,
        find: "if (!agrees(pair) || readAtMs < this.#doubtedAtMs) return;",
        replace: "if (!agrees(pair)) return;",
      },
    ],
    test: `${BRAIN}/booking.test.ts`,
  },
  {
    bug: "a gap in the events is not closed by REST",
    edits: [
      {
        file: `${BRAIN}/booker.ts`,
        find: 'stream.on("up", () => this.#openGap("gap"));',
        replace: "",
      },
    ],
    test: `${BRAIN}/booker.test.ts`,
    only: "disconnection",
  },
  {
    bug: "a replica that stood still goes on booking until it is told that another one has taken over",
    edits: [
      {
        file: `${BRAIN}/lease.ts`,
        find: "return this.#sinceMs !== undefined && performance.now() - this.#renewedAt < LEASE_MS;",
        replace: "return this.#sinceMs !== undefined;",
      },
    ],
    test: `${BRAIN}/lease.test.ts`,
  },
  {
    bug: "a replica that stood still reads nothing again if nobody had taken over",
    edits: [
      {
        file: `${BRAIN}/lease.ts`,
        find: "const isNew = !this.isOwner || this.#sinceMs !== sinceMs;",
        replace: "const isNew = this.#sinceMs !== sinceMs;",
      },
    ],
    test: `${BRAIN}/lease.test.ts`,
  },
  {
    bug: "a stream that tells nothing is believed for as long as it answers pings",
    edits: [
      {
        file: "packages/exchange/src/deaf-stream.ts",
        find: "if (upSinceMs < sinceMs && lastEventAtMs < sinceMs) stream.distrust();",
        replace: "",
      },
    ],
    test: `${BRAIN}/deaf-stream.test.ts`,
  },
  {
    bug: "an executor stays with a stream that does not tell of the orders that the exchange has taken",
    edits: [
      {
        file: "services/executor/src/order-events.ts",
        find: 'if (last.kind === "query") distrustIfDeaf(stream, sinceMs);',
        replace: "",
      },
    ],
    test: "services/executor/src/order-events.test.ts",
    only: "in doubt, because its event",
  },
  {
    bug: "a replica that takes over goes on from the events alone",
    edits: [
      {
        file: `${BRAIN}/booker.ts`,
        find: '      this.#openGap("begin");\n',
        replace: "",
      },
    ],
    test: `${BRAIN}/booker.test.ts`,
    only: "misses nothing",
  },
  {
    bug: "fills from events are never counted again",
    edits: [
      {
        file: `${BRAIN}/reconcile.ts`,
        find: "return anchor === undefined ? ledger : { ...ledger, amt: anchor.amt, lastTradeId: anchor.tradeId };",
        replace: "return ledger;",
      },
    ],
    test: `${BRAIN}/reconcile.test.ts`,
  },
  {
    bug: "a pair that another program has written to is kept current",
    edits: [
      {
        file: "lua/ledger/keep.lua",
        find: "here[1] ~= version or here[2] ~= ts_epoch or there[1] ~= version or there[2] ~= amount",
        replace: "here[1] ~= version or there[1] ~= version",
      },
    ],
    test: `${BRAIN}/pair-store.test.ts`,
  },
];
