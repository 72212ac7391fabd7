/** Bugs of what is counted: limits, reservations, ledgers. */
import type { Mutant } from "./mutant.ts";

const BRAIN = "services/position-brain/src";

export const BOOK_MUTANTS: readonly Mutant[] = [
  {
    bug: "a limit does not count what is reserved",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "plus(charged(sums.values, now, limit.amount), reserved(limit.amount))",
        replace: "charged(sums.values, now, limit.amount)",
      },
    ],
    test: "packages/permits/src/settle.test.ts",
    only: "reservations",
  },
  {
    bug: "a reservation alone disarms",
    edits: [
      {
        file: "lua/permits/reservations.lua",
        find: "    if is_order(member) then orders = orders + 1 end",
        replace: "    orders = orders + 1",
      },
    ],
    test: "services/governor/src/handler.test.ts",
    only: "the disarm",
  },
  {
    bug: "a burst denial disarms, whatever used up the limit",
    edits: [
      {
        file: "services/governor/src/handler.ts",
        find: "issued.reason === BURST_DENIAL && issued.byOrders === true",
        replace: "issued.reason === BURST_DENIAL",
      },
    ],
    test: "services/governor/src/python-results.test.ts",
    only: "disarm",
  },
  {
    bug: "a plan whose order nobody tried counts as an error",
    edits: [
      {
        file: "services/governor/src/handler.ts",
        find: 'return result.outcome === "REJECTED" ||',
        replace: 'return result.outcome === "REJECTED" || result.error !== "" ||',
      },
    ],
    test: "services/governor/src/handler.test.ts",
    only: "no order was tried",
  },
  {
    bug: "a result does not release its reservation",
    edits: [
      {
        file: "lua/permits/settle_reservation.lua",
        find: "local reserved = release(sums, open, attempt, executed or fate == 'executed')",
        replace: "local reserved = redis.call('HGET', open, attempt)",
      },
    ],
    test: "packages/permits/src/settle.test.ts",
  },
  {
    bug: "a decision from before an order filled stands after its reservation has ended",
    edits: [
      {
        file: "lua/permits/settle_reservation.lua",
        find: "release(sums, open, attempt, executed or fate == 'executed')",
        replace: "release(sums, open, attempt, executed)",
      },
    ],
    test: "packages/permits/src/settle.test.ts",
  },
  {
    bug: "P3.3's reservation is released before the fills are in the pair",
    edits: [
      {
        file: `${BRAIN}/handler.ts`,
        find: 'return { kind: "retry", reason };',
        replace: "return SETTLE;",
      },
    ],
    test: `${BRAIN}/results.test.ts`,
  },
  {
    bug: "the pairs' versions are counted from 1, so that one comes again after a loss of the keyspace",
    edits: [
      {
        file: "lua/ledger/store.lua",
        find: "math.max((tonumber(version) or 0) + 1, now_ms())",
        replace: "(tonumber(version) or 0) + 1",
      },
    ],
    test: `${BRAIN}/pair-store.test.ts`,
  },
  {
    bug: "the ledger follows the results, not the exchange's fills",
    edits: [
      {
        file: `${BRAIN}/refresh.ts`,
        find: "pair = pairOf(found, withTrades(ledger, trades));\n      if (!agrees(pair)) {",
        replace: `const sum = executions.reduce(
          (amount, { side, qty }) => (side === "BUY" ? amount.plus(qty) : amount.minus(qty)),
          Big(ledger.amt),
        );
        pair = pairOf(found, { ...ledger, amt: sum.toFixed() });
        if (executions.length < 0) {`,
      },
    ],
    test: `${BRAIN}/refresh.test.ts`,
  },
  {
    bug: "totals are not rebuilt from what is open",
    edits: [
      {
        file: "lua/permits/balance.lua",
        find: "for field, sum in pairs(wrong) do correct(field .. ' ' .. sum, 'HSET', totals, field, sum) end\n",
        replace: "",
      },
    ],
    test: "packages/permits/src/bookkeeping.test.ts",
  },
  {
    bug: "what was charged is not rebuilt from the charges",
    edits: [{ file: "lua/permits/balance.lua", find: "      add(sums, 'charged:', amounts)\n", replace: "" }],
    test: "packages/permits/src/sums.test.ts",
  },
  {
    bug: "limits are judged by sums that somebody else wrote",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "if verdict == 'granted' and limits ~= '' and not sums.were_right then return { 'UNBALANCED' } end\n",
        replace: "",
      },
    ],
    test: "packages/permits/src/sums.test.ts",
  },
  {
    bug: "a reservation is made for a plan that nobody can consume any more",
    edits: [
      {
        file: "lua/permits/unrecorded.lua",
        find: "  if not entry then return 'ENDED' end\n",
        replace: "  entry = entry or { attempt, {} }\n",
      },
    ],
    test: "packages/permits/src/issue.test.ts",
  },
  {
    bug: "a reservation without a result stays although its plan has ended",
    edits: [
      {
        file: "packages/permits/src/bookkeeping.ts",
        find: "for (const attempt of old) {",
        replace: "for (const attempt of old.slice(old.length)) {",
      },
    ],
    test: "packages/permits/src/bookkeeping.test.ts",
  },
  {
    bug: "a ledger that Python has written to is read as ours",
    edits: [
      {
        file: `${BRAIN}/pair.ts`,
        find: 'if (fields["fingerprint"] !== fingerprintOf(fields, ledgerNames(fields))) return undefined;',
        replace: "",
      },
    ],
    test: `${BRAIN}/foreign-writer.test.ts`,
  },
  {
    bug: "whatever Python calls executed is an order",
    edits: [
      {
        file: "packages/contract/src/order-fate.ts",
        find: 'if (statuses.includes("success")) return "executed";',
        replace: 'if (executed) return "executed";',
      },
      {
        file: "packages/contract/src/order-fate.ts",
        find: "export function orderFate({ outcome,",
        replace: "export function orderFate({ executed, outcome,",
      },
    ],
    test: "services/governor/src/python-results.test.ts",
  },
  {
    bug: "a result that Python writes for a plan it has seen before releases the reservation",
    edits: [
      {
        file: "packages/contract/src/order-fate.ts",
        find: 'return isRepetition ? "untold" : "none";',
        replace: 'return "none";',
      },
    ],
    test: "services/governor/src/python-results.test.ts",
  },
  {
    bug: "a plan that ended before it was answered is answered all the same",
    edits: [
      {
        file: "lua/permits/unrecorded.lua",
        find: "  if ended_ms and published_ms <= tonumber(ended_ms) then return 'ENDED' end\n",
        replace: "",
      },
    ],
    test: "packages/permits/src/booked.test.ts",
  },
  {
    bug: "an issuer permits a plan whose order it has booked",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "if verdict == 'granted' and may_have_order then",
        replace: "if false then",
      },
    ],
    test: "packages/permits/src/booked.test.ts",
  },
];
