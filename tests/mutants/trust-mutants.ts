/** Bugs of what the executor believes. */
import type { Mutant } from "./mutant.ts";

const VERIFY = "services/executor/src/verify.ts";
const CASES = "services/executor/src/verify.test.ts";

export const TRUST_MUTANTS: readonly Mutant[] = [
  {
    bug: "the plan's record decides that a halt does not stop its order",
    edits: [
      {
        file: "lua/orders/claim.lua",
        find: "  or not passes_halts and",
        replace: "  or not passes_halts and not known.class and",
      },
    ],
    test: "services/executor/src/exit-scripts.test.ts",
    only: "only Redis says",
  },
  {
    bug: "the plan's record decides that its order is charged to nobody",
    edits: [
      {
        file: "lua/orders/claiming.lua",
        find: "if of.class ~= '' then redis.call('HSET', of.order, 'class', of.class) end",
        replace: "if known.class then redis.call('HSET', of.order, 'class', known.class) end",
      },
    ],
    test: "services/executor/src/exit-scripts.test.ts",
    only: "charged to nobody",
  },
  {
    bug: "an operator's exit is charged to the governor's limits",
    edits: [
      {
        file: "packages/issuer/src/handlers.ts",
        find: 'if (result.class !== "") {',
        replace: 'if (result.class === "drill") {',
      },
    ],
    test: "services/governor/src/exit.test.ts",
  },
  {
    bug: "one key counts for an issuer and an operator",
    edits: [
      {
        file: "services/executor/src/trust.ts",
        find: "if (shared === undefined) return;",
        replace: "if (shared?.kid !== '') return;",
      },
    ],
    test: "services/executor/src/trust.test.ts",
    only: "prevent the start if an issuer",
  },
  {
    bug: "the executor does not miss the permit of one required issuer",
    edits: [
      {
        file: VERIFY,
        find: "for (const issuer of trust.required) {",
        replace: "for (const issuer of trust.required.slice(1)) {",
      },
    ],
    test: CASES,
  },
  {
    bug: "the executor does not compare the signed share",
    edits: [
      { file: VERIFY, find: "if (!Big(claims.pct).eq(entry.close_pct))", replace: "if (claims.pct === '')" },
    ],
    test: CASES,
  },
  {
    bug: "the executor does not compare the signed mode",
    edits: [
      {
        file: VERIFY,
        find: "class: ISSUER_CLASS,\n    mode,",
        replace: "class: ISSUER_CLASS,\n    mode: claims.mode || mode,",
      },
    ],
    test: CASES,
  },
  {
    bug: "the executor does not compare the signed plan",
    edits: [{ file: VERIFY, find: "    plan,\n    attempt,\n", replace: "    attempt,\n" }],
    test: CASES,
  },
  {
    bug: "a signed permit is believed for ever",
    edits: [
      { file: VERIFY, find: "if (nowMs > Number(untilMs))", replace: "if (nowMs > Number(untilMs) * 2)" },
    ],
    test: CASES,
  },
  {
    bug: "the quantity is the entry's, not the signed one",
    edits: [{ file: VERIFY, find: "quantity?.safe_qty ?? entry.safe_qty", replace: "entry.safe_qty" }],
    test: CASES,
  },
  {
    bug: "the side is the entry's, not the signed one",
    edits: [
      { file: VERIFY, find: "quantity?.position ?? entry.position_amt", replace: "entry.position_amt" },
    ],
    test: CASES,
  },
  {
    bug: "an executor in a dry run sends what the permits of dry runs say",
    edits: [{ file: VERIFY, find: "if (trust.mode === DRY_RUN && ", replace: "if (trust.mode === '' && " }],
    test: CASES,
  },
  {
    bug: "every text of an entry is verified, however many there are",
    edits: [{ file: VERIFY, find: "const TEXTS_MAX = 16;", replace: "const TEXTS_MAX = 2 ** 20;" }],
    test: CASES,
  },
  {
    bug: "an entry that `spent` does not name is claimed, too",
    edits: [
      {
        file: "lua/orders/claim.lua",
        find: "if proof.is_foreign or not is_verified and not proof.is_named then",
        replace: "if not is_verified and not proof.is_named then",
      },
    ],
    test: "services/executor/src/claim.test.ts",
  },
  {
    bug: "an entry whose permits are forged ends the plan that it names",
    edits: [
      {
        file: "lua/orders/claim.lua",
        find: "if proof.is_foreign or not is_verified and not proof.is_named then",
        replace: "if proof.is_foreign then",
      },
    ],
    test: "services/executor/src/claim.test.ts",
  },
];
