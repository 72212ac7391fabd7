/** Bugs of the intake: what becomes of proposals whose partition is away, and of those that are none. */
import type { Mutant } from "./mutant.ts";

const OUTAGE = "services/apply-layer/src/outage.ts";
const OUTAGE_TEST = "services/apply-layer/src/outage.test.ts";
const CONSUMER_TEST = "packages/streams/src/consumer.test.ts";

export const INTAKE_MUTANTS: readonly Mutant[] = [
  {
    bug: "a proposal is acknowledged, though its partition did not answer",
    edits: [
      {
        file: OUTAGE,
        find: "        this.#begin(error);\n        return this.#hold(entryId, error);",
        replace: "        this.#begin(error);\n        return ACK;",
      },
    ],
    test: OUTAGE_TEST,
  },
  {
    bug: "every proposal tries a partition that is known to be away",
    edits: [
      {
        file: OUTAGE,
        find: "    if (this.#error !== undefined && !this.#mayTry) return this.#hold(entryId, this.#error);\n",
        replace: "",
      },
    ],
    test: OUTAGE_TEST,
  },
  {
    bug: "a defect of ours counts as a partition that is away, and its proposal is tried for ever",
    edits: [
      {
        file: OUTAGE,
        find: ' && error.name === "ReplyError" && dispositionOf(error)',
        replace: " && dispositionOf(error)",
      },
    ],
    test: OUTAGE_TEST,
  },
  {
    bug: "what waits for something beyond it becomes a dead letter after five deliveries",
    edits: [
      {
        file: "packages/streams/src/disposal.ts",
        find: 'kind === "retry" && !isBlameless && entry',
        replace: 'kind === "retry" && entry',
      },
    ],
    test: CONSUMER_TEST,
  },
  {
    bug: "entries that come again are forgotten until they are reclaimed, if there is no room for all of them",
    edits: [
      { file: "packages/streams/src/consumer.ts", find: "    this.#returning.freed();\n", replace: "" },
    ],
    test: CONSUMER_TEST,
  },
  {
    bug: "proposals that are none are given up in another slot than their stream's",
    edits: [
      {
        file: "packages/contract/src/keys.ts",
        find: 'return createKeys(partitions === 1 ? {} : { partition: "intake" });',
        replace: "return createKeys(partitions === 1 ? {} : { partition: 0 });",
      },
    ],
    test: "packages/contract/src/partition.test.ts",
  },
];
