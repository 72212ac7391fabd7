/** Bugs of closes that the exchange's rules make smaller or impossible, and of those that are never executed. */
import type { Mutant } from "./mutant.ts";

const BRAIN = "services/position-brain/src";
const EXECUTOR = "services/executor/src";
const WANT_CLOSE = "lua/ledger/want_close.lua";

export const CLOSE_MUTANTS: readonly Mutant[] = [
  {
    bug: "an execution does not end the time of an unfulfilled close",
    edits: [{ file: WANT_CLOSE, find: " or since <= executed then", replace: " then" }],
    test: `${BRAIN}/close-watch.test.ts`,
  },
  {
    bug: "each proposal begins the time of an unfulfilled close again",
    edits: [{ file: WANT_CLOSE, find: "if not since or since > now", replace: "if true" }],
    test: `${BRAIN}/close-watch.test.ts`,
  },
  {
    bug: "a flat position still counts as one whose close is not executed",
    edits: [{ file: WANT_CLOSE, find: "if not is_wanted or is_flat then", replace: "if not is_wanted then" }],
    test: `${BRAIN}/close-watch.test.ts`,
  },
  {
    bug: "a close that the kill switch stops is not waited for",
    edits: [
      {
        file: `${BRAIN}/close-watch.ts`,
        find: 'CLOSES.has(action) && decision !== "SKIP"',
        replace: 'CLOSES.has(action) && decision === "EXECUTE"',
      },
    ],
    test: `${BRAIN}/close-watch.test.ts`,
  },
  {
    bug: "a position that no order can close is warned of for ever",
    edits: [
      { file: `${BRAIN}/close-watch.ts`, find: "if (isDust) this.#note(plan.symbol, false);", replace: "" },
      {
        file: `${BRAIN}/close-watch.ts`,
        find: "else this.#proposed(plan);",
        replace: "this.#proposed(plan);",
      },
    ],
    test: `${BRAIN}/close-watch.test.ts`,
  },
  {
    bug: "a small position is never closed whole, because of a minimum that the exchange does not apply",
    edits: [
      {
        file: `${BRAIN}/decide.ts`,
        find: 'flaw === "below_min_notional" && closesAll(quantity) ? undefined : flaw',
        replace: "flaw",
      },
    ],
    test: `${BRAIN}/decide.test.ts`,
  },
  {
    bug: "a market order keeps to one of the exchange's two filters only",
    edits: [
      {
        file: "packages/exchange/src/answers.ts",
        find: "maxQty: isNarrower ? market.maxQty : lot.maxQty",
        replace: "maxQty: lot.maxQty",
      },
    ],
    test: "packages/exchange/src/rows.test.ts",
  },
  {
    bug: "an order that the exchange's limit made smaller passes for the whole close",
    edits: [
      { file: "lua/orders/settle.lua", find: "outcome == 'EXECUTED' and capped_by_venue", replace: "false" },
    ],
    test: `${EXECUTOR}/orders.test.ts`,
    only: "the venue capped",
  },
];
