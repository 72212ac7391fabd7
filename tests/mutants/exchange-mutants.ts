/** Bugs of what the exchange says: rows, pauses, refusals. */
import type { Mutant } from "./mutant.ts";

const EXCHANGE = "packages/exchange/src";
const BRAIN = "services/position-brain/src";

export const EXCHANGE_MUTANTS: readonly Mutant[] = [
  {
    bug: "an order that waits and does not say what it does passes for one that only reduces",
    edits: [
      {
        file: `${EXCHANGE}/resting-orders.ts`,
        find: "return !(reduceOnly || closePosition) || isUnclear === true;",
        replace: "return !(reduceOnly || closePosition);",
      },
    ],
    test: `${EXCHANGE}/rows.test.ts`,
  },
  {
    bug: "an order that waits counts as gone after any refusal to cancel it",
    edits: [
      {
        file: `${EXCHANGE}/cancellation.ts`,
        find: "code === CANCEL_REJECTED && UNKNOWN_ORDER.test(said)",
        replace: "code === CANCEL_REJECTED",
      },
    ],
    test: `${EXCHANGE}/cancellation.test.ts`,
  },
  {
    bug: "an order that waits counts as cancelled by any answer",
    edits: [
      {
        file: `${EXCHANGE}/cancellation.ts`,
        find: 'if (order.status === CANCELLED) return { outcome: "cancelled" };',
        replace: 'if (order.status !== "") return { outcome: "cancelled" };',
      },
    ],
    test: `${EXCHANGE}/cancellation.test.ts`,
  },
  {
    bug: "a row that cannot be read fails all rows",
    edits: [
      {
        file: `${EXCHANGE}/answers.ts`,
        find: "const parsed = row.safeParse(item);",
        replace: "const parsed = { ...row.safeParse(item), success: true, data: row.parse(item) };",
      },
    ],
    test: `${EXCHANGE}/rows.test.ts`,
  },
  {
    bug: "a row that cannot be read keeps every symbol from being refreshed",
    edits: [
      {
        file: `${BRAIN}/observation.ts`,
        find: "if (position === undefined || unreadable.has(symbol)) continue;",
        replace: "if (position === undefined || rows.length > 0) continue;",
      },
    ],
    test: `${BRAIN}/refresh.test.ts`,
    only: "a row that cannot be read",
  },
  {
    bug: "a symbol without a row counts as flat although a row could not be read",
    edits: [
      {
        file: `${EXCHANGE}/port.ts`,
        find: "return unreadable.some((odd) => odd.symbol === undefined) ? undefined : { ...FLAT, symbol };",
        replace: "return { ...FLAT, symbol };",
      },
    ],
    test: `${EXCHANGE}/rows.test.ts`,
    only: "is neither flat",
  },
  {
    bug: "a symbol that the exchange does not list counts as flat",
    edits: [
      {
        file: `${BRAIN}/refresh.ts`,
        find: ".filter(this.#options.isListed)",
        replace: ".filter(() => true)",
      },
    ],
    test: `${BRAIN}/flat.test.ts`,
    only: "does not list it at all",
  },
  {
    bug: "a position that was open between two reads of a flat one is forgotten",
    edits: [
      {
        file: `${BRAIN}/refresh.ts`,
        find: "if (isUnmoved && newest === (await newestTradeId(exchange, symbol))) {",
        replace: "if (isUnmoved) {",
      },
    ],
    test: `${BRAIN}/flat.test.ts`,
    only: "that was open between",
  },
  {
    bug: "an order that is filled with nothing counts as closed",
    edits: [
      {
        file: `${EXCHANGE}/port.ts`,
        find: "return CLOSED.has(status) && (status !== FILLED || Number(executedQty) > 0);",
        replace: "return CLOSED.has(status) || Number(executedQty) < 0;",
      },
    ],
    test: `${EXCHANGE}/placement.test.ts`,
    only: "filled with nothing",
  },
  {
    bug: "an order that the engine read too late counts as refused",
    edits: [
      {
        file: `${EXCHANGE}/error-codes.ts`,
        find: '"ME_RECVWINDOW_REJECT",\n      "expired"',
        replace: '"ME_RECVWINDOW_REJECT",\n      "rejected"',
      },
    ],
    test: `${EXCHANGE}/error-classes.test.ts`,
    only: "was too late",
  },
  {
    bug: "an open order that cannot be read counts as none",
    edits: [
      {
        file: `${BRAIN}/observation.ts`,
        find: "const rows = [...orders.unreadable, ...positions.unreadable];",
        replace: "const rows = [...positions.unreadable];",
      },
    ],
    test: `${BRAIN}/refresh.test.ts`,
    only: "a row that cannot be read",
  },
  {
    bug: "the first page of trades is taken for all, where no trade is counted yet",
    edits: [
      {
        file: `${BRAIN}/trades.ts`,
        find: "if (recent.length < pageSize) return recent;",
        replace: "if (recent.length >= 0) return recent;",
      },
    ],
    test: `${BRAIN}/refresh.test.ts`,
    only: "trades after an id",
  },
  {
    bug: "the end of a ban that stands in the text is not honoured",
    edits: [
      {
        file: `${EXCHANGE}/binance-client.ts`,
        find: "if (until === undefined) return undefined;",
        replace: "if (until !== null) return undefined;",
      },
    ],
    test: `${EXCHANGE}/pauses.test.ts`,
  },
  {
    bug: "a ban is forgotten on restart",
    edits: [
      {
        file: "packages/service-kit/src/exchange-pauses.ts",
        find: "  await read();\n  let reading = false;",
        replace: "  let reading = false;",
      },
    ],
    test: "packages/service-kit/src/exchange-pauses.slow.test.ts",
    only: "is known to the others",
  },
  {
    bug: "a plan is promised although the exchange takes no orders",
    edits: [
      { file: `${BRAIN}/decide.ts`, find: "facts.pause !== undefined", replace: "facts.pause === null" },
    ],
    test: `${BRAIN}/decide.test.ts`,
  },
  {
    bug: "each process spends the exchange's limits as if it were alone",
    edits: [
      {
        file: "lua/exchange/budget.lua",
        find: "local others = math.max(others_spent, reported - spent)",
        replace: "local others = math.min(others_spent, 0)",
      },
    ],
    test: "packages/service-kit/src/exchange-budget.test.ts",
  },
  {
    bug: "a block is given again to a process that asks again",
    edits: [
      {
        file: "lua/exchange/budget.lua",
        find: "if name == 'held' and whose ~= process then",
        replace: "if name == 'held' then",
      },
    ],
    test: "packages/service-kit/src/exchange-budget.test.ts",
  },
  {
    bug: "what others use of the exchange's limits is not read from its answers",
    edits: [
      {
        file: `${EXCHANGE}/limits.ts`,
        find: "counts[kind] = Number(text);",
        replace: "counts[kind] = 0;",
      },
    ],
    test: `${EXCHANGE}/requests.test.ts`,
  },
  {
    bug: "the exchange's count of a minute that has ended holds requests back",
    edits: [
      {
        file: `${EXCHANGE}/usage.ts`,
        find: "untilMs: nowMs + this.#windowMs - intoMs,",
        replace: "untilMs: nowMs + this.#windowMs + intoMs,",
      },
    ],
    test: `${EXCHANGE}/budget.test.ts`,
  },
  {
    bug: "a reading begins without room for its last request",
    edits: [
      {
        file: `${EXCHANGE}/requests.ts`,
        find: "await this.#budget.setAside(requestClass, weight);",
        replace: "await this.#budget.setAside(requestClass, weight * 0);",
      },
    ],
    test: `${BRAIN}/weights.test.ts`,
  },
  {
    bug: "a block that is asked for is larger than what is free",
    edits: [{ file: "lua/exchange/budget.lua", find: "math.min(free, wanted)", replace: "wanted" }],
    test: "packages/service-kit/src/exchange-budget.test.ts",
  },
  {
    bug: "an order beyond the account's limit is claimed",
    edits: [
      {
        file: "services/executor/src/handler.ts",
        find: 'return exchange.reserveOrder() ? "" : "venue_budget";',
        replace: 'return exchange.reserveOrder() ? "" : "";',
      },
    ],
    test: "services/executor/src/budget.test.ts",
  },
  {
    bug: "one symbol's errors disarm everything",
    edits: [
      {
        file: "services/governor/src/errors.ts",
        find: "Math.min(recent.length, Math.ceil(this.#limit / 2))",
        replace: "recent.length",
      },
      {
        file: "services/governor/src/errors.ts",
        find: "const concernsAll = this.#account.length > 0 || this.#symbols.size > 1;",
        replace: "const concernsAll = true;",
      },
    ],
    test: "services/governor/src/errors.test.ts",
  },
  {
    bug: "amounts are added in doubles",
    edits: [
      {
        file: "lua/shared/exact.lua",
        find: "if #a <= LIMB_DIGITS and #b <= LIMB_DIGITS then return string.format('%d', a + b) end",
        replace: "if a and b then return string.format('%.0f', tonumber(a) + tonumber(b)) end",
      },
    ],
    test: "lua/exact.test.ts",
  },
];
