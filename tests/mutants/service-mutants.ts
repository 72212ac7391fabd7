/** Planted bugs of what every service does: its connections, its start, its readiness, its HTTP. */
import type { Mutant } from "./mutant.ts";

const REDIS = "packages/redis/src";
const KIT = "packages/service-kit/src";

export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    bug: "a service works in database 0 where Redis lacks its own",
    edits: [
      {
        file: `${REDIS}/client.ts`,
        find: 'if (this.status !== "end") this.recoverFromFatalError(error, error, {});',
        replace: "void error;",
      },
    ],
    test: `${REDIS}/connection.test.ts`,
    only: "a database that the server lacks",
  },
  {
    bug: "a start waits for ever for what Redis refuses",
    edits: [
      {
        file: `${KIT}/wait-for-redis.ts`,
        find: "if (refused !== undefined) return { ...FINE, refused: refused.violations };",
        replace: "void refused;",
      },
    ],
    test: `${KIT}/start.test.ts`,
    only: "names the database",
  },
  {
    bug: "a service with partitions takes a Redis that has plans of the wire's layout",
    edits: [
      {
        file: `${KIT}/agreed-partitions.ts`,
        find: "count > 1 && !found.one && !found.several",
        replace: "count > 1 && !found.several",
      },
    ],
    test: `${KIT}/agreed-partitions.test.ts`,
    only: "of the wire's layout",
  },
  {
    bug: "a number of partitions that was lost is made up",
    edits: [
      {
        file: `${KIT}/agreed-partitions.ts`,
        find: "count > 1 && !found.one && !found.several",
        replace: "count > 1 && !found.one",
      },
    ],
    test: `${KIT}/agreed-partitions.test.ts`,
    only: "of partition 0",
  },
  {
    bug: "a service writes its number of partitions over another's",
    edits: [
      {
        file: `${KIT}/agreed-partitions.ts`,
        find: "await home.setnx(wire.partitions, count);",
        replace: "await home.set(wire.partitions, count);",
      },
    ],
    test: `${KIT}/agreed-partitions.test.ts`,
    only: "at the last moment",
  },
  {
    bug: "one partition's halt is not seen beside others that run",
    edits: [
      {
        file: `${KIT}/redis-telemetry.ts`,
        find: 'if (answers.some((answer) => answer.status === "fulfilled" && answer.value)) return 1;',
        replace: 'if (answers.every((answer) => answer.status === "fulfilled" && answer.value)) return 1;',
      },
    ],
    test: `${KIT}/partitions.test.ts`,
    only: "if one partition is or has",
  },
  {
    bug: "replicas that are away at the start are not asked for",
    edits: [
      {
        file: `${REDIS}/failover.ts`,
        find: "isolatable({ ...facts, replicas: failover.replicas })",
        replace: "isolatable(facts)",
      },
    ],
    test: `${REDIS}/failover.test.ts`,
    only: "would go on without replicas",
  },
  {
    bug: "a service is ready while all its entries fail",
    edits: [
      {
        file: `${KIT}/consumer-readiness.ts`,
        find: 'if (disposition.kind === "retry") attempts.failed(entry.id, disposition.reason);',
        replace: 'if (disposition.kind === "retry") void attempts;',
      },
    ],
    test: `${KIT}/readiness.test.ts`,
    only: "while entries fail",
  },
  {
    bug: "each request renders the metrics again",
    edits: [
      {
        file: `${KIT}/http.ts`,
        find: "return () => (current ??= answer());",
        replace: "return () => answer();",
      },
    ],
    test: `${KIT}/http.test.ts`,
    only: "is rendered once",
  },
  {
    bug: "a gauge shows what the scrape before found",
    edits: [
      {
        file: "packages/service-kit/src/shared-reading.ts",
        find: "(value) => (last = value),",
        replace: "(value) => { const before = last; last = value; return before; },",
      },
    ],
    test: "services/executor/src/telemetry.test.ts",
    only: "show in each scrape",
  },
];
