/** Planted bugs of what operators ask and change: packages/operator. */
import type { Mutant } from "./mutant.ts";

const OPERATOR = "packages/operator/src";

export const QUERY_MUTANTS: readonly Mutant[] = [
  {
    bug: "a hold is accepted for amounts that the operator was not shown",
    edits: [
      {
        file: `${OPERATOR}/operations.ts`,
        find: "if (shown !== undefined && shown !== fingerprintOf(hold)) throw changedMeanwhile();",
        replace: 'if (shown === "") throw changedMeanwhile();',
      },
    ],
    test: `${OPERATOR}/operations.test.ts`,
  },
  {
    bug: "a preview frees the plan already",
    edits: [
      {
        file: `${OPERATOR}/operations.ts`,
        find: "const found = await forceFound(access, planId);",
        replace: 'const found = await forceFound(access, planId, { who: "", reason: "" });',
      },
    ],
    test: `${OPERATOR}/operations.test.ts`,
  },
  {
    bug: "a page of plans begins with the row with which the one before ended",
    edits: [
      {
        file: `${OPERATOR}/search-plans.ts`,
        find: 'from.seen === "all" ? `(${from.id}` : from.id',
        replace: "from.id",
      },
    ],
    test: `${OPERATOR}/search-plans.test.ts`,
  },
  {
    bug: "an order that has an outcome is listed as one without an end",
    edits: [
      {
        file: `${OPERATOR}/unfinished-plans.ts`,
        find: 'if (outcome !== "SENT" && outcome !== "UNKNOWN") return [];',
        replace: "",
      },
    ],
    test: `${OPERATOR}/search-plans.test.ts`,
  },
  {
    bug: "a plan that was opened again is told without its other attempts",
    edits: [
      {
        file: `${OPERATOR}/plan-entries.ts`,
        find: "if (others.found) return",
        replace: "if (others.found && attempts.size > 1) return",
      },
    ],
    test: `${OPERATOR}/plan-entries.test.ts`,
  },
  {
    bug: "an entry whose id is ahead of its plan's times is taken for trimmed",
    edits: [
      {
        file: `${OPERATOR}/plan-entries.ts`,
        find: " || isAhead(attempt, record.opened_at_ms)",
        replace: "",
      },
    ],
    test: `${OPERATOR}/plan-entries.test.ts`,
  },
  {
    bug: "a time of which nothing is known shows as one without plans",
    edits: [
      {
        file: `${OPERATOR}/wait-tally.ts`,
        find: "startOf(this.#knownFromMs)",
        replace: "startOf(0)",
      },
    ],
    test: `${OPERATOR}/wait-tally.test.ts`,
  },
  {
    bug: "one dead letter that cannot be given back stops the others",
    edits: [
      {
        file: `${OPERATOR}/dead-letters.ts`,
        find: 'if (dispositionOf(error).kind === "command") return { id, done: false, why: message };',
        replace: 'if (dispositionOf(error).kind === "command") throw error;',
      },
    ],
    test: `${OPERATOR}/dead-letters.test.ts`,
  },
];
