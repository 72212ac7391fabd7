/** Planted bugs of operators' exits. */
import type { Mutant } from "./mutant.ts";

const EXIT = "services/executor/src/exit";
const VERIFY = `${EXIT}/verify-exit.ts`;
const CLOSE = `${EXIT}/close.ts`;

export const EXIT_MUTANTS: readonly Mutant[] = [
  {
    bug: "an exit is believed without its signature",
    edits: [
      {
        file: VERIFY,
        find: 'if ("flaw" in read) return flawed("permit_forged", read.why);\n  const { claims } = read;',
        replace: "const { claims } = parseSignedPermit(entry.signed) as { claims: PermitClaims };",
      },
    ],
    test: `${EXIT}/verify-exit.test.ts`,
  },
  {
    bug: "an exit of another account is believed",
    edits: [
      { file: VERIFY, find: "mode, venue, account, plan, attempt", replace: "mode, venue, plan, attempt" },
    ],
    test: `${EXIT}/verify-exit.test.ts`,
  },
  {
    bug: "an operator's signature counts for as long as it says",
    edits: [{ file: VERIFY, find: "> EXIT_VALID_MS)", replace: "> 1000 * EXIT_VALID_MS)" }],
    test: `${EXIT}/verify-exit.test.ts`,
  },
  {
    bug: "a drill may name an order",
    edits: [{ file: VERIFY, find: 'side: "", safe_qty: "", position: "" });', replace: "});" }],
    test: `${EXIT}/verify-exit.test.ts`,
  },
  {
    bug: "an exit is for what was signed, whatever the position has",
    edits: [
      {
        file: `${EXIT}/exit-order.ts`,
        find: "floored(position.gt(signed.largestQty) ? Big(signed.largestQty) : position)",
        replace: "floored(Big(signed.largestQty))",
      },
    ],
    test: `${EXIT}/exit-order.test.ts`,
  },
  {
    bug: "an exit closes the other side",
    edits: [
      {
        file: `${EXIT}/exit-order.ts`,
        find: "if (closingSide(positionAmt) !== side)",
        replace: "if (closingSide(positionAmt) !== side && rules === undefined)",
      },
    ],
    test: `${EXIT}/exit-order.test.ts`,
  },
  {
    bug: "an exit leaves what could open the position again",
    edits: [{ file: CLOSE, find: "isFlat || opens)", replace: "isFlat && opens)" }],
    test: `${EXIT}/close.test.ts`,
    only: "could open or enlarge",
  },
  {
    bug: "an exit believes the position from before its cancellations",
    edits: [{ file: CLOSE, find: "if (cancelled.isChanged) continue;", replace: "" }],
    test: `${EXIT}/close.test.ts`,
    only: "filled before it could be cancelled",
  },
  {
    bug: "an exit that may have been sent is sent",
    edits: [
      { file: `${EXIT}/exits.ts`, find: "if (!isDrill && mayBeSent(", replace: "if (isDrill && mayBeSent(" },
    ],
    test: `${EXIT}/exits.test.ts`,
    only: "older than the ownership",
  },
  {
    bug: "orders that reduce the position stay in the way of the next exit",
    edits: [{ file: CLOSE, find: "NOTHING_TO_REDUCE.has(answer.code)", replace: "answer.code === 0" }],
    test: `${EXIT}/close.test.ts`,
    only: "makes way",
  },
];
