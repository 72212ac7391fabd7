/**
 * Whether an entry is what an operator signed: flatten or close of one symbol, or a drill. Like the issuers' permits it comes
 * from Redis, so it is not trusted: the class is what the signed text says, the key one of the operators' own list, and mode,
 * venue and account are the executor's. Of the order, only side and largest quantity are signed: the executor reads the
 * position itself. Pure, except for the keys.
 */
import {
  DRILL_SYMBOL,
  EXIT_ATTEMPT,
  EXIT_STEP,
  EXIT_VALID_MS,
  type ExecuteEntry,
  type ExitClass,
  isExitClass,
  parseSignedPermit,
  type PermitClaims,
} from "@quantum/contract";
import type { Side } from "@quantum/exchange";
import { verifyPermit } from "@quantum/signing";
import {
  another,
  DRY_RUN,
  type Flaw,
  mismatch,
  type PermitFlaw,
  quantityFlaw,
  timeFlaw,
  type Trust,
} from "../verify.ts";

export type ExitTrust = Pick<Trust, "mode" | "venue" | "account" | "operatorKeys">;

export type ExitFlaw = PermitFlaw | "exit_not_enrolled";

interface Signed {
  operator: string;
  /** By Redis's clock, in ms. */
  issuedMs: number;
  untilMs: number;
}

export type VerifiedExit =
  | (Signed & { kind: "operator"; side: Side; /** The largest that may be sent. */ largestQty: string })
  | (Signed & { kind: "drill" })
  | {
      kind: "flawed";
      reason: ExitFlaw;
      why: string;
      /** An operator signed it all the same, but not for this plan, place or time. */
      signedAs: ExitClass | undefined;
    };

/** The class that the first signed text names, undefined for an issuer's. Only the signature proves it. */
export function exitClassOf({ signed }: Pick<ExecuteEntry, "signed">): ExitClass | undefined {
  const [first = ""] = signed.split("\n", 1);
  const permit = parseSignedPermit(first);
  if ("flaw" in permit) return undefined;
  return isExitClass(permit.claims.class) ? permit.claims.class : undefined;
}

/** @param nowMs by Redis's clock, in ms */
export function verifyExit(entry: ExecuteEntry, trust: ExitTrust, nowMs: number): VerifiedExit {
  const keys = trust.operatorKeys();
  if (keys.count === 0)
    return flawed("exit_not_enrolled", "this executor knows no operator's key: EXECUTOR_OPERATOR_KEYS_FILE");
  if (entry.signed.includes("\n")) return flawed("permit_forged", "more than one signed text");
  const read = verifyPermit(entry.signed, keys);
  if ("flaw" in read) return flawed("permit_forged", read.why);
  const { claims } = read;
  if (!isExitClass(claims.class))
    return flawed("permit_forged", `${claims.class} is no class of an operator`);
  const flaw = flawOf(claims, entry, trust, nowMs);
  if (flaw !== undefined) return { ...flawed(flaw.reason, flaw.why), signedAs: claims.class };
  const { issuer: operator, side, safe_qty: largestQty } = claims;
  const signed = { operator, issuedMs: Number(claims.issued_ms), untilMs: Number(claims.until_ms) };
  if (claims.class === "drill" || side === "") return { kind: "drill", ...signed };
  return { kind: "operator", ...signed, side, largestQty };
}

function flawOf(
  claims: PermitClaims,
  entry: ExecuteEntry,
  { mode, venue, account }: ExitTrust,
  nowMs: number,
): Flaw | undefined {
  const { plan_id: plan, symbol } = entry;
  const expected = { mode, venue, account, plan, attempt: EXIT_ATTEMPT, symbol, step: EXIT_STEP };
  const flaw = mismatch(claims, expected) ?? placeFlaw(entry, mode) ?? timeFlaw(claims, nowMs);
  if (flaw !== undefined) return flaw;
  // So that a signed text is worth nothing soon, even to somebody who deletes what Redis knows of its plan.
  if (Number(claims.until_ms) - Number(claims.issued_ms) > EXIT_VALID_MS)
    return { reason: "permit_forged", why: `signed for longer than ${EXIT_VALID_MS} ms` };
  return claims.class === "drill" ? drillFlaw(claims) : orderFlaw(claims);
}

/** The entry's own step and mode go to the claim, so they must be what was signed. */
function placeFlaw(entry: ExecuteEntry, mode: string): Flaw | undefined {
  if (entry.step !== EXIT_STEP) return another("the entry's step", entry.step, EXIT_STEP);
  if (entry.mode !== mode) return another("the entry's mode", entry.mode, mode);
  return mode === DRY_RUN ? another("the executor's mode", mode, "one in which it sends orders") : undefined;
}

function orderFlaw(claims: PermitClaims): Flaw | undefined {
  if (claims.symbol === DRILL_SYMBOL) return another("symbol", claims.symbol, "one that is traded");
  // A flat position may be signed as well: then only what waits is cancelled.
  return quantityFlaw(claims);
}

function drillFlaw(claims: PermitClaims): Flaw | undefined {
  return mismatch(claims, { symbol: DRILL_SYMBOL, side: "", safe_qty: "", position: "" });
}

function flawed(reason: ExitFlaw, why: string): VerifiedExit & { kind: "flawed" } {
  return { kind: "flawed", reason, why, signedAs: undefined };
}
