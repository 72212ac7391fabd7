/** Bugs of the third issuer, the portfolio gate, and of plans with more than two issuers. */
import type { Mutant } from "./mutant.ts";

const DECIDE = "services/portfolio-gate/src/decide.ts";
const DECIDE_TEST = "services/portfolio-gate/src/decide.test.ts";
const HANDLER_TEST = "services/portfolio-gate/src/handler.test.ts";

export const PORTFOLIO_MUTANTS: readonly Mutant[] = [
  {
    bug: "the portfolio gate grants while the portfolio is not known",
    edits: [
      {
        file: DECIDE,
        find: 'return deny("portfolio_state_unknown", { ...portfolio });',
        replace: 'return { verdict: "whole", reason: "portfolio_no_cap" };',
      },
    ],
    test: DECIDE_TEST,
  },
  {
    bug: "a symbol without a snapshot counts as flat in the portfolio",
    edits: [
      {
        file: "services/portfolio-gate/src/portfolio.ts",
        find: 'if ("flaw" in position) return unknown(position, "snapshot");',
        replace: 'if ("flaw" in position) continue;',
      },
    ],
    test: "services/portfolio-gate/src/portfolio.test.ts",
  },
  {
    bug: "during a cooldown a cold portfolio caps a full close less than without one",
    edits: [
      {
        file: DECIDE,
        find: "if (step === undefined || cold < step) return",
        replace: "if (step === undefined) return",
      },
    ],
    test: DECIDE_TEST,
  },
  {
    bug: "the cap of a short position is below 0, and so none",
    edits: [{ file: DECIDE, find: "qty: position.abs().times(", replace: "qty: position.times(" }],
    test: DECIDE_TEST,
  },
  {
    bug: "the portfolio gate keeps executions in the process: a restart ends every cooldown",
    edits: [
      {
        file: "services/portfolio-gate/src/handler.ts",
        find: 'return placed ? { kind: "settle", executed: { amounts: {}, atMs: addedAtMs } } : { kind: "settle" };',
        replace: 'return { kind: "settle" };',
      },
    ],
    test: HANDLER_TEST,
  },
  {
    bug: "executions that cannot be read count as none",
    edits: [
      {
        file: "services/portfolio-gate/src/reader.ts",
        find: 'return { flaw: "executions_unreadable", symbol, what: message };',
        replace: "return message === undefined;",
      },
    ],
    test: HANDLER_TEST,
  },
  {
    bug: "only the first cap of several counts",
    edits: [
      {
        file: "lua/permits/quantity.lua",
        find: "elseif not max_qty or above(max_qty, decimal) then max_qty = decimal end",
        replace: "elseif not max_qty then max_qty = decimal end",
      },
    ],
    test: "packages/permits/src/many-issuers.test.ts",
  },
  {
    bug: "of three issuers, the last one's denial is not looked at once two have granted",
    edits: [
      {
        file: "lua/permits/consume.lua",
        find: "if not denied then denied, detail",
        replace: "if not denied and i < 2 then denied, detail",
      },
    ],
    test: "packages/permits/src/many-issuers.test.ts",
  },
];
