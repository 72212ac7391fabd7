/** Bugs of issuers that work in several partitions. */
import type { Mutant } from "./mutant.ts";

const HANDLERS = "packages/issuer/src/handlers.ts";
const SCHEDULE = "services/position-brain/src/schedule.ts";
const READER = "services/portfolio-gate/src/reader.ts";
const ISSUERS_TEST = "tests/issuers-over-partitions.test.ts";
const SCHEDULE_TEST = "services/position-brain/src/schedule.test.ts";

export const PARTITION_MUTANTS: readonly Mutant[] = [
  {
    bug: "an issuer permits a plan where its symbol's limits are not",
    edits: [
      {
        file: HANDLERS,
        find: "    if (!this.#options.owns(plan.symbol)) return misplaced(plan);\n",
        replace: "",
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "an issuer books a result where its symbol's books are not",
    edits: [
      {
        file: HANDLERS,
        find: "      if (!this.#options.owns(result.symbol)) return misplaced(result);\n",
        replace: "",
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "an issuer looks for the symbol of a drill, which has none",
    edits: [
      {
        file: HANDLERS,
        find: '    if (plan.decision !== "EXECUTE"',
        replace:
          '    if (!this.#options.owns(plan.symbol)) return misplaced(plan);\n    if (plan.decision !== "EXECUTE"',
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "P3.3 keeps the pairs of all symbols in the account's partition",
    edits: [
      {
        file: "packages/service-kit/src/partitions.ts",
        find: "return this.all[partitionOf(symbol, this.all.length)] ?? this.account;",
        replace: "return this.account;",
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "the portfolio gate reads every snapshot in the partition of the account",
    edits: [
      {
        file: READER,
        find: "      const { redis, keys } = partitions.of(symbol);\n      const snapshot",
        replace: "      const { redis, keys } = partitions.account;\n      const snapshot",
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "the portfolio gate takes a proposal that it cannot read for one of no volatility",
    edits: [
      {
        file: READER,
        find: "READ_DEADLINE_MS, key).catch(() => undefined);",
        replace:
          'READ_DEADLINE_MS, key).catch(() => ({ sigma: "0.01", last_update_epoch: String(Date.now() / 1_000) }));',
      },
    ],
    test: ISSUERS_TEST,
  },
  {
    bug: "a service that waits for a server at its start does not say for which partitions",
    edits: [
      {
        file: "packages/service-kit/src/wait-for-redis.ts",
        find: '{ state: waits.join("; "), ...(err !== undefined && { err }) }',
        replace: 'err === undefined ? { state: waits.join("; ") } : { err }',
      },
    ],
    test: "packages/service-kit/src/partitions.slow.test.ts",
    only: "starts once",
  },
  {
    bug: "a forced close disarms the account's partition alone",
    edits: [
      {
        file: "services/position-brain/src/forced-close.ts",
        find: "places: partitions.all,",
        replace: "places: [partitions.account],",
      },
    ],
    test: "services/position-brain/src/forced-close.test.ts",
  },
  {
    bug: "the console goes on with the partitions that there were at its start",
    edits: [
      {
        file: "packages/operator/src/access.ts",
        find: "opened.partitions.all.length !== count) forget();",
        replace: "opened.partitions.all.length === 0) forget();",
      },
      { file: "packages/operator/src/access.ts", find: "          forget();\n", replace: "" },
    ],
    test: "services/console/src/streams.test.ts",
    only: "is followed",
  },
  {
    bug: "one partition that does not answer stops the refresh of all",
    edits: [
      {
        file: "services/position-brain/src/pair-store.ts",
        find: "if (error !== undefined && stored.size === 0) throw error;",
        replace: "if (error !== undefined) throw error;",
      },
    ],
    test: "services/position-brain/src/partition-away.test.ts",
  },
  {
    bug: "nobody refreshes positions while the Redis that gives the turns is away",
    edits: [
      {
        file: SCHEDULE,
        find: "return hasOthers && !isKept && this.#isDueAlone() ? 0 : RETRY_MS;",
        replace: "return RETRY_MS;",
      },
    ],
    test: SCHEDULE_TEST,
  },
  {
    bug: "without a turn, a refresh that fails is repeated at once",
    edits: [{ file: SCHEDULE, find: "    this.#aloneAt = now;\n", replace: "" }],
    test: SCHEDULE_TEST,
  },
];
