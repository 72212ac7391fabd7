import { Big } from "big.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVENTS_WAIT_MS, includes, SymbolBook } from "./booking.ts";
import { BOOKED_MAX } from "./order-book.ts";
import { agrees, type Pair } from "./pair.ts";
import { type Delivery, EPOCH_MS, play, type Step, SYMBOL, ToldAccount } from "./told-account.fixture.ts";

const side = fc.constantFrom("BUY" as const, "SELL" as const);
const qty = fc.integer({ min: 1, max: 4 });
/** Several executions may share a millisecond. */
const tickMs = fc.integer({ min: 0, max: 2 });
const trade = fc.record({
  kind: fc.constant("trade" as const),
  side,
  parts: fc.array(qty, { minLength: 1, maxLength: 3 }),
  tickMs,
  perFill: fc.boolean(),
  origin: fc.constantFrom("ours" as const, "other" as const),
});
const limits = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), side, qty, tickMs }),
  fc.record({ kind: fc.constant("fill" as const), index: fc.nat(5), qty, tickMs }),
  fc.record({ kind: fc.constant("cancel" as const), index: fc.nat(5), tickMs }),
);
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(trade, limits), { minLength: 1, maxLength: 12 });
/** No two positions share a millisecond. Those that do are told apart by their order of arrival, and by audits. */
const apart = steps.map((all) =>
  all.map((step): Step => {
    const later = { ...step, tickMs: step.tickMs + 1 };
    return later.kind === "trade" ? { ...later, perFill: false } : later;
  }),
);
const deliveries = (copies: fc.Arbitrary<number>): fc.Arbitrary<Delivery[]> =>
  fc.array(fc.record({ copies, lateBy: fc.nat(6) }), { minLength: 1, maxLength: 24 });
const COMPLETE = deliveries(fc.integer({ min: 1, max: 3 }));
const WITH_LOSSES = deliveries(fc.nat(2));

const book = () => new SymbolBook();
const isTrue = (account: ToldAccount, { snapshot, ledger }: Pair) =>
  agrees({ snapshot, ledger }) &&
  (account.history.get(snapshot.updateTimeMs) ?? []).some((amount) => Big(amount).eq(snapshot.positionAmt));

describe("the books of a symbol, whatever the order of its events", () => {
  it("say at last what the exchange says", () => {
    fc.assert(
      fc.property(steps, COMPLETE, (happened, arrivals) => {
        const { account, last } = play(book(), happened, arrivals);
        const { snapshot, ledger } = account.reading(0).pair;
        expect(last?.snapshot).toMatchObject({
          positionAmt: snapshot.positionAmt,
          openReduceQty: snapshot.openReduceQty,
        });
        expect(Big(last?.ledger.amt ?? 0).eq(ledger.amt)).toBe(true);
        expect(last?.ledger.lastTradeId).toBe(ledger.lastTradeId);
        for (const [orderId, done] of [...account.ours].slice(-BOOKED_MAX))
          expect(last && includes(last.ledger, { orderId, qty: done.qty })).toBe(true);
      }),
    );
  });

  it("need no reading if no event is lost, and no two positions share a millisecond", () => {
    fc.assert(
      fc.property(apart, COMPLETE, (happened, arrivals) => {
        expect(play(book(), happened, arrivals).reads).toEqual([]);
      }),
    );
  });

  it("never store a ledger that differs from its position, nor a position that never was", () => {
    fc.assert(
      fc.property(steps, WITH_LOSSES, (happened, arrivals) => {
        const { account, stored } = play(book(), happened, arrivals);
        for (const pair of stored) expect(isTrue(account, pair)).toBe(true);
      }),
    );
  });

  it("include an order only with a position that is as new as its fills", () => {
    fc.assert(
      fc.property(steps, WITH_LOSSES, (happened, arrivals) => {
        const { account, stored } = play(book(), happened, arrivals);
        const early = stored.flatMap(({ snapshot, ledger }) =>
          [...account.ours].filter(
            ([orderId, { timeMs, qty: executed }]) =>
              includes(ledger, { orderId, qty: executed }) && snapshot.updateTimeMs < timeMs,
          ),
        );
        expect(early).toEqual([]);
      }),
    );
  });

  it("are read by REST if a lost fill leaves something unexplained, and right again", () => {
    const fillsLost = fc.tuple(apart, WITH_LOSSES).map(([happened, arrivals]) => ({ happened, arrivals }));
    fc.assert(
      fc.property(fillsLost, ({ happened, arrivals }) => {
        const lost = play(book(), happened, arrivals);
        const lostFills = lost.dropped.filter((told) => told.kind === "order" && told.event.fill);
        const lostPositions = lost.dropped.filter(({ kind }) => kind === "account");
        fc.pre(lostFills.length > 0 && lostPositions.length === 0);
        const sum = lostFills.reduce((total, told) => {
          const { fill, side: of } = (told as Extract<typeof told, { kind: "order" }>).event;
          return of === "BUY" ? total.plus(fill?.qty ?? 0) : total.minus(fill?.qty ?? 0);
        }, Big(0));
        expect(sum.eq(0) || lost.reads.length > 0).toBe(true);
        expect(Big(lost.last?.ledger.amt ?? 0).eq(lost.account.amount)).toBe(true);
        expect(Big(lost.last?.snapshot.positionAmt ?? 0).eq(lost.account.amount)).toBe(true);
      }),
    );
  });

  it("call each fill new once", () => {
    fc.assert(
      fc.property(steps, COMPLETE, (happened, arrivals) => {
        const { account, newFills } = play(book(), happened, arrivals);
        const fills = [...account.history.values()].flat().length - 1;
        expect(newFills).toBe(fills);
      }),
    );
  });
});

/** A book that has begun, and the events of one market order of two fills. */
function begun() {
  const account = new ToldAccount();
  const symbol = book();
  symbol.begin(account.reading(1));
  const [first, second, position] = account.step({
    kind: "trade",
    side: "SELL",
    parts: [1, 2],
    tickMs: 5,
    perFill: false,
    origin: "ours",
  });
  if (first?.kind !== "order" || second?.kind !== "order" || position?.kind !== "account")
    throw new Error("the account tells something else");
  const at = (nowMs: number) => ({ nowMs, epochMs: EPOCH_MS + nowMs });
  return {
    account,
    symbol,
    at,
    first: first.event,
    second: second.event,
    tellPosition: (nowMs: number) => symbol.account(position.position, position.timeMs, at(nowMs)),
  };
}

describe("the books of a symbol", () => {
  it("are read before anything else", () => {
    expect(book().decide({ nowMs: 0, epochMs: EPOCH_MS }, 0)).toEqual({ kind: "read", reason: "begin" });
  });

  it("add fills and position in one step, with what our order has executed", () => {
    const { symbol, at, first, second, tellPosition } = begun();
    symbol.order(first, at(2));
    expect(symbol.decide(at(2), 7)).toEqual({ kind: "wait", untilMs: 2 + EVENTS_WAIT_MS });
    symbol.order(second, at(3));
    tellPosition(4);
    expect(symbol.decide(at(4), 7)).toMatchObject({
      kind: "store",
      version: "read at 1",
      pair: {
        snapshot: { positionAmt: "7", updateTimeMs: 1_005, tsEpochSec: 7 },
        ledger: {
          amt: "7",
          lastTradeId: second.fill?.tradeId,
          origin: "trades",
          anchor: { amt: "10", tradeId: "1000" },
          booked: [{ orderId: first.orderId, qty: "3" }],
          lastExecution: { planId: "0123456789abcdef", orderId: first.orderId, side: "SELL", qty: "3" },
        },
      },
    });
  });

  it.each<[string, (scene: ReturnType<typeof begun>) => void]>([
    ["a position without its fills", ({ tellPosition }) => tellPosition(2)],
    [
      "fills without their position",
      ({ symbol, first, second, at }) => {
        symbol.order(first, at(2));
        symbol.order(second, at(2));
      },
    ],
    [
      "an order that has filled more than was told",
      ({ symbol, second, at }) =>
        void symbol.order({ ...second, fill: undefined, status: "CANCELED", timeMs: 0 }, at(2)),
    ],
  ])("wait with %s for a moment, then ask the exchange, less and less often", (_, tell) => {
    const scene = begun();
    tell(scene);
    const { symbol, at } = scene;
    expect(symbol.decide(at(2), 0)).toEqual({ kind: "wait", untilMs: 2 + EVENTS_WAIT_MS });
    expect(symbol.decide(at(2 + EVENTS_WAIT_MS), 0)).toEqual({ kind: "read", reason: "unexplained" });
    // Being read.
    expect(symbol.decide(at(3 + EVENTS_WAIT_MS), 0)).toEqual({ kind: "none" });
    const waits: number[] = [];
    let nowMs = 4 + EVENTS_WAIT_MS;
    for (let reading = 0; reading < 7; reading++) {
      symbol.readingEnded(nowMs);
      const decision = symbol.decide(at(nowMs), 0);
      if (decision.kind !== "wait") throw new Error(decision.kind);
      waits.push(decision.untilMs - nowMs);
      nowMs = decision.untilMs;
      expect(symbol.decide(at(nowMs), 0).kind).toBe("read");
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it("do not take a position for the one after a later fill of the same size", () => {
    const account = new ToldAccount();
    const symbol = book();
    symbol.begin(account.reading(1));
    const sell: Step = {
      kind: "trade",
      side: "SELL",
      parts: [1],
      tickMs: 5,
      perFill: false,
      origin: "ours",
    };
    const [, position] = account.step(sell);
    const [later] = account.step(sell);
    if (position?.kind !== "account" || later?.kind !== "order") throw new Error("told something else");
    const moment = { nowMs: 2, epochMs: EPOCH_MS + 2 };
    symbol.account(position.position, position.timeMs, moment);
    symbol.order(later.event, moment);
    expect(symbol.decide(moment, 0)).toEqual({ kind: "wait", untilMs: 2 + EVENTS_WAIT_MS });
  });

  it("are in doubt after a gap until a reading that began after it", () => {
    const { symbol, at, account } = begun();
    symbol.distrust("gap", 10);
    symbol.begin(account.reading(9));
    expect(symbol.doubt).toBe("gap");
    expect(symbol.decide(at(11), 0)).toEqual({ kind: "read", reason: "gap" });
    symbol.begin(account.reading(11));
    expect(symbol.doubt).toBeUndefined();
    expect(symbol.decide(at(12), 0)).toEqual({ kind: "none" });
  });

  it("leave to REST what the exchange's own answers do not explain, until they do", () => {
    const { symbol, at, account, first } = begun();
    const reading = account.reading(2);
    symbol.begin({
      ...reading,
      pair: { ...reading.pair, ledger: { ...reading.pair.ledger, amt: "11" } },
    });
    expect(symbol.decide(at(10_000), 0)).toEqual({ kind: "none" });
    // Another trade.
    symbol.order({ ...first, fill: { tradeId: "2000", qty: "1", price: "1" } }, at(10_001));
    expect(symbol.decide(at(10_001), 0)).toEqual({ kind: "wait", untilMs: 10_001 + EVENTS_WAIT_MS });
    expect(symbol.decide(at(10_001 + EVENTS_WAIT_MS), 0)).toEqual({ kind: "read", reason: "mismatch" });
    symbol.begin(account.reading(10_300));
    expect(symbol.doubt).toBeUndefined();
  });

  it("go on from what another replica has stored, and doubt what another one has booked", () => {
    const { symbol, at, account, first, second, tellPosition } = begun();
    symbol.order(first, at(2));
    symbol.order(second, at(2));
    tellPosition(2);
    const { pair } = account.reading(3);
    symbol.adopt({ pair, version: "theirs" }, 3);
    expect(symbol.decide(at(3), 0)).toMatchObject({
      kind: "store",
      version: "theirs",
      pair: { ledger: { amt: "7", booked: [{ orderId: first.orderId, qty: "3" }] } },
    });
    const anchor = { amt: "4", tradeId: "900" };
    symbol.adopt({ pair: { ...pair, ledger: { ...pair.ledger, anchor } }, version: "booked" }, 4);
    expect(symbol.decide(at(4), 0)).toEqual({ kind: "read", reason: "changed" });
  });

  it("replace what came before a reading, if that has no time of its own, as of a flat position", () => {
    const { symbol, at, account } = begun();
    symbol.account(
      { symbol: SYMBOL, positionAmt: "5", entryPrice: "", unrealizedProfit: "" },
      account.timeMs + 9,
      at(2),
    );
    const { pair, ...reading } = account.reading(3);
    const flat: Pair = {
      snapshot: { ...pair.snapshot, positionAmt: "0", updateTimeMs: 0 },
      ledger: { ...pair.ledger, amt: "0" },
    };
    symbol.begin({ ...reading, pair: flat });
    expect(symbol.decide(at(4), 0)).toEqual({ kind: "none" });
    expect(symbol.stored?.pair).toEqual(flat);
  });
});
