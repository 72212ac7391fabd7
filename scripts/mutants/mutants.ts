/** The planted bugs: each is a slip that somebody could make, as exact text of the product and what it becomes. */
import { ORDER_MUTANTS } from "./order-mutants.ts";

export interface Edit {
  /** From the root of the repository. */
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
}

export interface Mutant {
  /** In words, for the table. */
  bug: string;
  edits: readonly [Edit, ...Edit[]];
  /** The narrowest test file that must fail. */
  test: string;
  /** Of a slow test file, the tests to run: a pattern of their names. */
  only?: string;
}

const CONSUME = "lua/permits/consume.lua";
const JUDGE = "lua/permits/judge.lua";
const REFUSALS = "packages/permits/src/refuse.test.ts";
const BRAIN = "services/position-brain/src";

export const MUTANTS: readonly Mutant[] = [
  ...ORDER_MUTANTS,
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
        find: "if verdict == 'granted' then permits[issuer] = what",
        replace: "if verdict == 'granted' then permits[issuer] = what; redis.call('DEL', permit_key)",
      },
    ],
    test: "packages/permits/src/consume.test.ts",
  },
  {
    bug: "a limit does not count what is reserved",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "charged(sums, now, limit.amount) + reserved(limit.amount)",
        replace: "charged(sums, now, limit.amount)",
      },
    ],
    test: "packages/permits/src/settle.test.ts",
    only: "reservations",
  },
  {
    bug: "a result does not release its reservation",
    edits: [
      {
        file: "lua/permits/settle_reservation.lua",
        find: "\ndrop(open, expiry, totals, executions, attempt)\n",
        replace: "\n",
      },
    ],
    test: "packages/permits/src/settle.test.ts",
  },
  {
    bug: "P3.3's promise is released before the fills are in the pair",
    edits: [
      {
        file: `${BRAIN}/handler.ts`,
        find: "const trouble = await this.#showFills(result, entryTimeMs(entry));",
        replace: "await settle();\n      const trouble = await this.#showFills(result, entryTimeMs(entry));",
      },
    ],
    test: `${BRAIN}/handler.test.ts`,
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
    bug: "a plan that others have still to answer is never tried, even if they wake nobody",
    edits: [
      {
        file: "packages/permits/src/wait.ts",
        find: "&& this.#silentIssuers().length === 0) return;",
        replace: ") return;",
      },
    ],
    test: "packages/permits/src/wait.test.ts",
  },
  {
    bug: "the ledger follows the results, not the exchange's fills",
    edits: [
      {
        file: `${BRAIN}/refresh.ts`,
        find: "pair = pairOf(observation, withTrades(ledger, trades));\n      if (!agrees(pair)) {",
        replace: `const sum = executions.reduce(
          (amount, { side, qty }) => (side === "BUY" ? amount.plus(qty) : amount.minus(qty)),
          Big(ledger.amt),
        );
        pair = pairOf(observation, { ...ledger, amt: sum.toFixed() });
        if (executions.length < 0) {`,
      },
    ],
    test: `${BRAIN}/refresh.test.ts`,
  },
  {
    bug: "the mark against duplicates is set in a step of its own, before the plan exists",
    edits: [
      {
        file: "services/apply-layer/src/open.ts",
        find: "const [status, ...rest] = await run(redis, {\n      keys: {\n        plan: keys.plan(id),\n        dedupe: keys.dedupe(id),",
        replace: `if ((await redis.set(keys.dedupe(id), "1", "EX", options.dedupeTtlSec, "NX")) === null)
          return { kind: "duplicate", planId: id, state: "unknown", remainingMs: 0 };
        const [status, ...rest] = await run(redis, {
      keys: {
        plan: keys.plan(id),
        dedupe: keys.dedupe(id + ":opened"),`,
      },
    ],
    test: "tests/crash-points/apply-layer.test.ts",
  },
  {
    bug: "a plan whose permits were spent can be opened again",
    edits: [
      {
        file: "lua/plans/open.lua",
        find: "redis.call('EXISTS', dedupe) == 1 or has_order then",
        replace: "redis.call('EXISTS', dedupe) == 1 then",
      },
    ],
    test: "services/apply-layer/src/open.test.ts",
  },
  {
    bug: "a stream is trimmed of what was delivered, acknowledged or not",
    edits: [
      {
        file: "packages/streams/src/health.ts",
        find: "const needed = earlier(delivered, oldestPending ?? delivered);",
        replace: "const needed = delivered;",
      },
    ],
    test: "packages/streams/src/health.test.ts",
  },
  {
    bug: "an entry is acknowledged before its work is done",
    edits: [
      {
        file: "packages/streams/src/consumer.ts",
        find: "disposition = await this.#options.handle(entry);",
        replace: `await this.#options.redis.xack(this.stream, this.group, entry.id);
      disposition = await this.#options.handle(entry);`,
      },
    ],
    test: "packages/streams/src/consumer.test.ts",
    only: "acknowledges on",
  },
];
