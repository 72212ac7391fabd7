/** Planted bugs of what every service does: its connections, its start, its readiness, its HTTP. */
import type { Mutant } from "./mutant.ts";

const REDIS = "packages/redis/src";
const KIT = "packages/service-kit/src";

export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    bug: "a service works in database 0 where Redis lacks its own",
    edits: [
      {
        file: `${REDIS}/connection.ts`,
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
        find: "if (refused !== undefined) throw refused;",
        replace: "if (error instanceof ConfigError) throw error;",
      },
    ],
    test: `${KIT}/start.test.ts`,
    only: "names the database",
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
