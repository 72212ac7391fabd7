import { type ExecuteEntry, executeEntry } from "@quantum/contract";
import type { OrderState, SymbolRules, Trade } from "@quantum/exchange";
import { ORDER_STATUSES } from "@quantum/exchange";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterAcknowledgement,
  afterPlacement,
  averagePrice,
  orderIntent,
  stepsResults,
  weigh,
} from "./decide.ts";

const RULES: SymbolRules = {
  symbol: "BTCUSDT",
  status: "TRADING",
  stepSize: "0.001",
  minQty: "0.002",
  maxQty: "50",
  minNotional: "100",
  tickSize: "0.10",
};

function entryOf(over: Partial<Record<keyof ExecuteEntry, string>> = {}): ExecuteEntry {
  return executeEntry.parse({
    plan_id: "0123456789abcdef",
    symbol: "BTCUSDT",
    attempt: "1-1",
    attempt_no: "1",
    step: "CLOSE_PARTIAL_75",
    close_pct: "75.0",
    position_amt: "0.062",
    safe_qty: "0.062",
    max_qty: "",
    valid_until_ms: "1",
    opened_at_ms: "1",
    mode: "paper",
    ...over,
  });
}

const decimal = (max: number) =>
  fc
    .tuple(fc.bigInt({ min: 0n, max: BigInt(max) * 10n ** 8n }), fc.integer({ min: 0, max: 8 }))
    .map(([units, decimals]) => Big(units.toString()).div("1e8").round(decimals, Big.roundDown).toFixed());

describe("the order of an execute entry", () => {
  it.each([
    ["the share of the position, whoever granted more", {}, "SELL", "0.046"],
    ["the safe quantity", { safe_qty: "0.0075" }, "SELL", "0.007"],
    ["the cap", { max_qty: "0.0031" }, "SELL", "0.003"],
    ["a short position, bought back", { position_amt: "-0.062" }, "BUY", "0.046"],
    ["75 % of 0.003, never rounded up", { position_amt: "0.003", safe_qty: "0.003" }, "SELL", "0.002"],
    ["at most the whole position", { close_pct: "250", position_amt: "0.01" }, "SELL", "0.010"],
    ["all that one order may carry", { position_amt: "50", safe_qty: "50", close_pct: "100" }, "SELL", "50"],
    [
      "the cap, though P3.3 grants what one order may carry",
      { position_amt: "100", safe_qty: "50", max_qty: "50" },
      "SELL",
      "50",
    ],
    [
      "less than one order may carry, if no more is safe",
      { position_amt: "100", safe_qty: "49" },
      "SELL",
      "49",
    ],
  ])("is %s", (_, over, side, quantity) => {
    const intent = orderIntent(entryOf(over), RULES);
    expect(intent).toEqual({ side, quantity: Big(quantity).toFixed() });
  });

  it.each([
    ["P3.3 grants the whole position", "100", RULES.maxQty, "50"],
    ["P3.3 grants what one order may carry", "50", RULES.maxQty, "50"],
    ["the limit is no multiple of the step", "50", "50.0009", "50"],
  ])("is capped by the venue where the plan would close more and %s", (_, safe_qty, maxQty, quantity) => {
    const intent = orderIntent(entryOf({ position_amt: "-100", safe_qty }), { ...RULES, maxQty });
    expect(intent).toEqual({ side: "BUY", quantity, cappedByVenue: true });
  });

  it.each([
    ["quantity_below_minimum", { safe_qty: "0.0019" }],
    ["quantity_below_minimum", { position_amt: "0" }],
    ["quantity_below_minimum", { close_pct: "0" }],
    ["quantity_below_minimum", { close_pct: "-75" }],
    ["quantity_below_minimum", { max_qty: "0" }],
  ])("is refused: %s %o", (refusal, over) => {
    expect(orderIntent(entryOf(over), RULES)).toMatchObject({ refusal });
  });

  it("is refused for a symbol the venue does not trade", () => {
    expect(orderIntent(entryOf(), undefined)).toMatchObject({ refusal: "symbol_unknown" });
  });

  it("never exceeds any limit, is a multiple of the step and the largest such quantity (I5)", () => {
    fc.assert(
      fc.property(
        decimal(1000),
        fc.boolean(),
        decimal(1000),
        fc.option(decimal(1000)),
        decimal(120),
        fc.constantFrom("0.001", "0.01", "1", "0.00001", "5"),
        (amount, isShort, safeQty, maxQty, pct, stepSize) => {
          const rules = { ...RULES, stepSize, minQty: stepSize };
          const entry = entryOf({
            position_amt: `${isShort && amount !== "0" ? "-" : ""}${amount}`,
            safe_qty: safeQty,
            max_qty: maxQty ?? "",
            close_pct: pct,
          });
          const intent = orderIntent(entry, rules);
          const share = Big(amount).times(pct).div(100);
          const limits = [Big(amount), Big(safeQty), share, Big(rules.maxQty)];
          if (maxQty !== null) limits.push(Big(maxQty));
          for (const limit of limits) expect(Big(intent.quantity).lte(limit)).toBe(true);
          expect(Big(intent.quantity).mod(stepSize).eq(0)).toBe(true);
          expect(intent.quantity).toMatch(/^\d+(\.\d+)?$/);
          const oneMore = Big(intent.quantity).plus(stepSize);
          expect(limits.some((limit) => oneMore.gt(limit))).toBe(true);
          expect(intent.refusal === undefined).toBe(Big(intent.quantity).gte(stepSize));
          expect(intent.side).toBe(isShort || Big(amount).eq(0) ? "BUY" : "SELL");
        },
      ),
    );
  });
});

const orderOf = (over: Partial<OrderState> = {}): OrderState => ({
  symbol: "BTCUSDT",
  orderId: "8389765519826112345",
  clientOrderId: "qp-0123456789abcdef-1",
  side: "SELL",
  status: "FILLED",
  reduceOnly: true,
  origQty: "0.046",
  executedQty: "0.046",
  avgPrice: "105000.10",
  updateTimeMs: 1,
  ...over,
});
const OPEN = new Set(["NEW", "PARTIALLY_FILLED"]);

describe("the answer to the one send", () => {
  it("settles what is closed, and has an acknowledged order queried by its id", () => {
    expect(afterPlacement({ outcome: "answered", order: orderOf() }).kind).toBe("settle");
    const acknowledged = afterPlacement({ outcome: "acknowledged", orderId: "7", status: "" });
    expect(acknowledged).toEqual({ kind: "query", orderId: "7", status: "" });
  });

  it.each(ORDER_STATUSES)("acknowledged, and then queried as %s, settles only if it is closed", (status) => {
    const next = afterAcknowledgement(orderOf({ status }), "NEW");
    expect(next.kind).toBe(OPEN.has(status) ? "doubt" : "settle");
  });

  it("acknowledged is in doubt while the query does not show how it ended", () => {
    const doubt = { kind: "doubt", doubt: "not_closed_yet" };
    expect(afterAcknowledgement(undefined, "NEW")).toEqual({ ...doubt, detail: "NEW" });
    const unwritten = orderOf({ status: "FILLED", executedQty: "0.000" });
    expect(afterAcknowledgement(unwritten, "NEW")).toEqual({ ...doubt, detail: "FILLED" });
  });

  it.each([
    [-1111, "rejected_by_rules"],
    [-4108, "rejected_by_rules"],
    [-2022, "rejected_by_exchange"],
    [-9999, "rejected_by_exchange"],
    [undefined, "rejected_by_exchange"],
    [-2019, "rejected_for_account"],
    [-2015, "rejected_for_account"],
  ])("says whom a refusal of %s concerns: %s", (code, reason) => {
    expect(afterPlacement({ outcome: "rejected", code, message: "" })).toMatchObject({
      settlement: { outcome: "REJECTED", reason },
    });
  });

  it("settles what the exchange refused, and what it wants later", () => {
    const rejected = afterPlacement({ outcome: "rejected", code: -2022, message: "ReduceOnly (-2022)" });
    expect(rejected).toMatchObject({
      settlement: { outcome: "REJECTED", reason: "rejected_by_exchange", detail: "ReduceOnly (-2022)" },
    });
    const late = afterPlacement({ outcome: "expired", message: "outside of the recvWindow (-1021)" });
    expect(late).toMatchObject({ settlement: { outcome: "NOT_PLACED", reason: "execute_expired" } });
    const limited = afterPlacement({ outcome: "retry_after", retryAfterMs: 1, message: "429" });
    expect(limited).toMatchObject({ settlement: { outcome: "NOT_PLACED", reason: "rate_limited" } });
    const away = afterPlacement({ outcome: "unavailable", message: "HTTP 503" });
    expect(away).toMatchObject({ settlement: { outcome: "NOT_PLACED", reason: "exchange_unavailable" } });
  });

  it("leaves doubt where it does not tell", () => {
    expect(afterPlacement({ outcome: "ambiguous", reason: "HTTP 503" })).toEqual({
      kind: "doubt",
      doubt: "answer_ambiguous",
      detail: "HTTP 503",
    });
    expect(afterPlacement({ outcome: "already_placed" })).toMatchObject({ doubt: "already_placed" });
  });
});

describe("evidence", () => {
  const WINDOW_END_MS = 1000;

  it("of a closed order settles with what it filled, whatever the time", () => {
    const filled = weigh({ order: orderOf(), venueMs: 1 }, WINDOW_END_MS);
    expect(filled).toMatchObject({
      settlement: { outcome: "EXECUTED", reason: "", orderId: "8389765519826112345", executedQty: "0.046" },
    });
    const part = orderOf({ status: "EXPIRED", executedQty: "0.020" });
    expect(weigh({ order: part, venueMs: 1 }, WINDOW_END_MS)).toMatchObject({
      settlement: { outcome: "EXECUTED", executedQty: "0.020", detail: "EXPIRED" },
    });
    const none = orderOf({ status: "EXPIRED", executedQty: "0.000" });
    expect(weigh({ order: none, venueMs: 1 }, WINDOW_END_MS)).toMatchObject({
      settlement: { outcome: "REJECTED", reason: "not_filled", executedQty: "" },
    });
  });

  it("of absence counts only after the window, and never settles by itself", () => {
    const absent = (venueMs: number) => weigh({ order: undefined, venueMs }, WINDOW_END_MS);
    expect(absent(WINDOW_END_MS)).toEqual({ kind: "open", answer: "none" });
    expect(absent(WINDOW_END_MS + 1)).toEqual({ kind: "open", answer: "absent" });
    for (const order of [orderOf({ status: "NEW" }), orderOf({ executedQty: "0" })])
      expect(weigh({ order, venueMs: 2000 }, WINDOW_END_MS)).toEqual({ kind: "open", answer: "there" });
  });

  it("of all of an order's trades gives its price, and of some of them gives none", () => {
    const trade = (qty: string, price: string, orderId = "7"): Trade => ({
      ...{ id: "1", orderId, symbol: "BTCUSDT", side: "SELL", timeMs: 1 },
      ...{ qty, price },
    });
    const ended = { orderId: "7", executedQty: "0.03" };
    const all = [trade("0.01", "100"), trade("0.02", "103"), trade("9", "1", "8")];
    expect(averagePrice(all, ended)).toBe("102");
    expect(averagePrice([trade("0.01", "100"), trade("0.02", "101")], ended)).toBe("100.66666667");
    expect(averagePrice(all.slice(1), ended)).toBe("");
    expect(averagePrice([trade("0.03", "")], ended)).toBe("");
    expect(averagePrice([], ended)).toBe("");
  });
});

describe("the steps of a result", () => {
  const order = { step: "CLOSE_FULL", side: "SELL", quantity: "0.046" };

  it("say why nothing was executed, in ASCII", () => {
    const refused = afterPlacement({ outcome: "rejected", code: -1, message: 'said "né"' });
    if (refused.kind !== "settle") throw new Error("a refusal settles");
    expect(stepsResults(order, refused.settlement)).toBe(
      String.raw`[{"step": "CLOSE_FULL", "status": "failed", "details": "rejected_by_exchange: said \"n\u00e9\""}]`,
    );
  });
});
