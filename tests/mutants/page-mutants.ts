/** Planted bugs of the console's page: what an operator would be shown. */
import type { Mutant } from "./mutant.ts";

const PAGE = "services/console/page";
const TESTS = "services/console/page-tests";

export const PAGE_MUTANTS: readonly Mutant[] = [
  {
    bug: "the page lets characters through that turn a text around",
    edits: [
      {
        file: `${PAGE}/visible-text.mjs`,
        find: String.raw`/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u`,
        replace: String.raw`/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u`,
      },
    ],
    test: `${TESTS}/visible-text.test.ts`,
  },
  {
    bug: "the page calls old values live while Redis is away",
    edits: [
      {
        file: `${PAGE}/freshness.mjs`,
        find: "if (now.away !== undefined)",
        replace: "if (now.away !== undefined && !connected)",
      },
    ],
    test: `${TESTS}/freshness.test.ts`,
  },
  {
    bug: "a frozen tab of the page leaves the others without events",
    edits: [
      { file: `${PAGE}/shared-stream.mjs`, find: "this.#queue(true);", replace: "this.#queue(false);" },
    ],
    test: `${TESTS}/shared-stream.test.ts`,
    only: "when it is frozen",
  },
  {
    bug: "a tab that has lost the lock goes on reading",
    edits: [
      {
        file: `${PAGE}/shared-stream.mjs`,
        find: "this.#release();\n      this.#close();",
        replace: "this.#release();",
      },
    ],
    test: `${TESTS}/shared-stream.test.ts`,
    only: "when it is frozen",
  },
  {
    bug: "a small amount reads as none",
    edits: [
      {
        file: `${PAGE}/format.mjs`,
        find: 'if (shown === "0" && /[1-9]/.test(fraction))',
        replace: "if (false)",
      },
    ],
    test: `${TESTS}/format.test.ts`,
  },
  {
    bug: "an issuer that never answered is drawn as one that granted",
    edits: [
      {
        file: `${PAGE}/timeline-layout.mjs`,
        find: "if (waitMs === undefined || waitMs === null)",
        replace: "if (waitMs === null)",
      },
    ],
    test: `${TESTS}/timeline-layout.test.ts`,
  },
];
