/** Bugs of what operators change: plans that are forgotten, and the number of partitions. */
import type { Mutant } from "./mutant.ts";

const RESET = "lua/operator/reset.lua";
const RESET_TEST = "packages/operator/src/reset.test.ts";
const MIGRATE = "packages/operator/src/migrate";
const MIGRATE_TEST = `${MIGRATE}/migrate.test.ts`;

export const OPERATOR_MUTANTS: readonly Mutant[] = [
  {
    bug: "a reset forgets a plan whose order was or may be sent, so that it is sent twice",
    edits: [
      { file: RESET, find: "if order_possible(spent, order) then return { 'ORDER' } end\n", replace: "" },
    ],
    test: RESET_TEST,
  },
  {
    bug: "a reset forgets a plan in one partition, though another has its order",
    edits: [
      {
        file: "packages/operator/src/reset.ts",
        find: '    closed.has(planId) ? kind === "order" && planIds !== undefined : kind === "reset",',
        replace: '    kind === "reset" || (closed.has(planId) && kind === "order" && planIds !== undefined),',
      },
    ],
    test: RESET_TEST,
  },
  {
    bug: "a reset that only asks forgets the plan",
    edits: [{ file: RESET, find: "if commit then\n", replace: "if commit or true then\n" }],
    test: RESET_TEST,
  },
  {
    bug: "a reset keeps the plan's record",
    edits: [{ file: RESET, find: "'DEL', dedupe, published, plan", replace: "'DEL', dedupe, published" }],
    test: RESET_TEST,
  },
  {
    bug: "a reset leaves no audit entry",
    edits: [
      {
        file: RESET,
        find: "  add_audit(audit, now_ms(), 'reset', plan_id, who, reason, '{\"state\": ' .. quoted(state) .. '}')\n",
        replace: "",
      },
    ],
    test: RESET_TEST,
  },
  {
    bug: "a reset of a plan that nobody knows is said to have forgotten it",
    edits: [
      {
        file: RESET,
        find: "if redis.call('EXISTS', plan, dedupe, published) == 0 then return { 'FREE' } end\n",
        replace: "",
      },
    ],
    test: RESET_TEST,
  },
  {
    bug: "the number of partitions changes while a plan waits, which then nobody ends",
    edits: [{ file: `${MIGRATE}/quiet.ts`, find: "problems.push(`${key}: plans wait`);", replace: "{}" }],
    test: MIGRATE_TEST,
  },
  {
    bug: "the number of partitions changes while a service is connected",
    edits: [
      { file: `${MIGRATE}/quiet.ts`, find: "services.length === 0 ?", replace: "services.length >= 0 ?" },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "what was written while it was copied is deleted with its source",
    edits: [
      { file: `${MIGRATE}/migrate.ts`, find: "if (other.length > 0)\n", replace: "if (other.length < 0)\n" },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "a spent mark whose symbol is not known is left behind, and its permits can be spent again",
    edits: [{ file: `${MIGRATE}/pieces.ts`, find: " nameless.push(key);", replace: " continue;" }],
    test: MIGRATE_TEST,
  },
  {
    bug: "keys of another layout are taken for the copies",
    edits: [
      {
        file: `${MIGRATE}/migrate.ts`,
        find: "...(inTheWay.length === 0\n",
        replace: "...(inTheWay.length >= 0\n",
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "copies of a change whose beginning was lost are taken for those of this one",
    edits: [
      {
        file: `${MIGRATE}/migrate.ts`,
        find: '    await this.#delete((await this.#store.list()).staged);\n    await this.#onStep("audit");',
        replace: '    await this.#onStep("audit");',
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "a moved guard never expires",
    edits: [
      {
        file: `${MIGRATE}/copy.ts`,
        find: 'redis.restore(to, Math.max(0, expiresAt), payload, "ABSTTL")',
        replace: "redis.restore(to, 0, payload)",
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "a moved stream is read again from its beginning",
    edits: [
      {
        file: `${MIGRATE}/copy.ts`,
        find: '"CREATE", to, name, lastId,',
        replace: '"CREATE", to, name, lastId && "0-0",',
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "a halt of one partition is lost when their number changes",
    edits: [
      {
        file: `${MIGRATE}/pieces.ts`,
        find: "values.find(isKillSwitchOn);",
        replace: "found.length < from ? undefined : values.find(isKillSwitchOn);",
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "an epoch that one partition has lost is given to all",
    edits: [
      {
        file: `${MIGRATE}/pieces.ts`,
        find: " || found.length < from)) return [];",
        replace: ")) return [];",
      },
    ],
    test: MIGRATE_TEST,
  },
  {
    bug: "a change that was killed after it deleted some of its source goes back to what is left",
    edits: [
      {
        file: `${MIGRATE}/migrate.ts`,
        find: 'state.kind === "deleting") await run.deleteSource(state);',
        replace:
          'state.kind === "deleting") await (state.to === to ? run.deleteSource(state) : run.undo(state));',
      },
    ],
    test: `${MIGRATE}/migrate.slow.test.ts`,
    only: "can be taken back",
  },
];
