/** Planted bugs of connections that follow their master. */
import type { Mutant } from "./mutant.ts";

const REDIS = "packages/redis/src";

export const CONNECTION_MUTANTS: readonly Mutant[] = [
  {
    bug: "hashes of a cluster whose nodes do not tell their host are not found",
    edits: [{ file: `${REDIS}/hashes.ts`, find: "  fillHosts(cluster);\n", replace: "" }],
    test: `${REDIS}/hashes.slow.test.ts`,
    only: "at the host that was asked",
  },
  {
    bug: "a connection goes back to the master of an older epoch",
    edits: [
      {
        file: `${REDIS}/master-finder.ts`,
        find: "newest === undefined || newest.epoch <= claim.epoch",
        replace: "newest === undefined",
      },
    ],
    test: `${REDIS}/master-finder.test.ts`,
  },
  {
    bug: "the first answer says who is master, and not the newest epoch",
    edits: [
      {
        file: `${REDIS}/masters.ts`,
        find: "newest === undefined || claim.epoch > newest.epoch",
        replace: "newest === undefined",
      },
    ],
    test: `${REDIS}/masters.test.ts`,
  },
  {
    bug: "a connection ends for good when nobody knows the master",
    edits: [
      {
        file: `${REDIS}/master-connector.ts`,
        find: "      return new Socket().destroy();",
        replace: "      throw error;",
      },
    ],
    test: `${REDIS}/master-connector.test.ts`,
    only: "between two attempts: redis.sentinel",
  },
  {
    bug: "a connection to a replica is used as if it led to the master",
    edits: [
      {
        file: `${REDIS}/master-connector.ts`,
        find: 'info.role === undefined || info.role === "master"',
        replace: 'info.role !== "sentinel"',
      },
    ],
    test: `${REDIS}/sentinel.slow.test.ts`,
    only: "never use a server that is no master",
  },
  {
    bug: "a command that every server refuses is sent again and again",
    edits: [
      {
        file: `${REDIS}/client.ts`,
        find: "      this.#sentAgain.add(item.command);\n",
        replace: "",
      },
    ],
    test: `${REDIS}/disposition.test.ts`,
    only: "is a replica's",
  },
  {
    bug: "the deadline of a lost connection ends the next one",
    edits: [
      {
        file: `${REDIS}/client.ts`,
        find: "      clearTimeout(timed.socketTimeoutTimer);\n",
        replace: "",
      },
    ],
    test: `${REDIS}/connection.test.ts`,
    only: "the deadline of a lost connection",
  },
];
