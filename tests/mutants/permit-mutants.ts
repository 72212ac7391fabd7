/** Bugs of what is judged and spent. */
import type { Mutant } from "./mutant.ts";

const CONSUME = "lua/permits/consume.lua";
const JUDGE = "lua/permits/judge.lua";
const REFUSALS = "packages/permits/src/refuse.test.ts";

export const PERMIT_MUTANTS: readonly Mutant[] = [
  {
    bug: "consume does not check the permit's symbol",
    edits: [
      {
        file: JUDGE,
        find: "if permit.symbol ~= symbol then return 'malformed', malformed end",
        replace: "",
      },
    ],
    test: REFUSALS,
  },
  {
    bug: 'consume takes `"true"` for `true`',
    edits: [
      {
        file: JUDGE,
        find: "if permit[field] ~= true or (",
        replace: "if (permit[field] ~= true and permit[field] ~= 'true') or (",
      },
    ],
    test: REFUSALS,
  },
  {
    bug: "one permit is enough",
    edits: [
      {
        file: CONSUME,
        find: "if not reason and #lacking > 0 then",
        replace: "if not reason and #lacking == issuers then",
      },
    ],
    test: "packages/permits/src/consume.test.ts",
  },
  {
    bug: "each permit is deleted as it is read, before the next one is judged",
    edits: [
      {
        file: CONSUME,
        find: "permits[issuer], texts[issuer] = what, json",
        replace: "permits[issuer], texts[issuer] = what, json; redis.call('DEL', permit_key)",
      },
    ],
    test: "packages/permits/src/consume.test.ts",
  },
  {
    bug: "consume looks for no halt but the disarm of today",
    edits: [
      {
        file: CONSUME,
        find: "}, kill_switch, disarm, disarm_today)\n",
        replace: "}, disarm_today)\n",
      },
    ],
    test: REFUSALS,
  },
  {
    bug: "issue does not look for what the issuer has booked",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "redis.call('EXISTS', booked, kill_switch,",
        replace: "redis.call('EXISTS', kill_switch,",
      },
    ],
    test: "packages/permits/src/booked.test.ts",
  },
  {
    bug: "a limit of executions lets one more through before they are counted",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "if counted + adding > limit.max then",
        replace: "if counted > limit.max then",
      },
    ],
    test: "packages/permits/src/burst.test.ts",
  },
];
