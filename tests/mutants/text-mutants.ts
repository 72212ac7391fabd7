/** Bugs in what people and their tools are shown. */
import type { Mutant } from "./mutant.ts";

export const TEXT_MUTANTS: readonly Mutant[] = [
  {
    bug: "controls are escaped for a terminal, what hides or reorders text is not",
    edits: [
      {
        file: "packages/contract/src/shown-text.ts",
        find: String.raw`/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu`,
        replace: String.raw`/\p{Cc}/gu`,
      },
    ],
    test: "packages/contract/src/shown-text.test.ts",
  },
  {
    bug: "an issuer's words in a field of a log record are found as a wait line",
    edits: [
      {
        file: "packages/service-kit/src/log-output.ts",
        find: "${withoutWaitMark(record.slice(0, message.index))}",
        replace: "${record.slice(0, message.index)}",
      },
    ],
    test: "packages/service-kit/src/output.test.ts",
  },
  {
    bug: "plans of a run that was cut short are called lost",
    edits: [
      {
        file: "cli/start/src/summary.ts",
        find: "lost: frame.cutShort === undefined ? open : 0,",
        replace: "lost: open,",
      },
    ],
    test: "cli/start/src/summary.test.ts",
  },
  {
    bug: "a service that was not asked counts as ready",
    edits: [
      {
        file: "packages/operator/src/deployment.ts",
        find: "probe === undefined) ? null : true;",
        replace: "probe === undefined) ? true : true;",
      },
    ],
    test: "cli/permitctl/src/asked.test.ts",
  },
  {
    bug: "what Redis last said stands on the screen as if it said so now",
    edits: [
      {
        file: "cli/permitctl/src/status-screen.ts",
        find: "index === 0 ? line : dimmed(line)",
        replace: "line",
      },
    ],
    test: "cli/permitctl/src/status-screen.test.ts",
  },
  {
    bug: "a kill switch that is set where no pipeline is counts as a halt",
    edits: [
      {
        file: "cli/permitctl/src/kill.ts",
        find: "if (missing !== undefined)",
        replace: "if (missing === null)",
      },
    ],
    test: "cli/permitctl/src/kill.test.ts",
  },
];
