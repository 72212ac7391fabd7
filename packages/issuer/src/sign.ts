/** Adds the signed text to a granted permit (docs/wire.md, "Signed permits"). */
import {
  EXECUTE_TTL_MAX_MS,
  isClosing,
  type PlanEntry,
  PythonFloat,
  type PythonJson,
} from "@quantum/contract";
import type { Signer } from "@quantum/signing";
import type { IssuerRow } from "@quantum/topology";
import { Big } from "big.js";
import type { Decision } from "./policy.ts";

const MS_PER_SEC = 1_000;

export interface PermitSignerOptions {
  issuer: IssuerRow;
  /** The current key, which may be replaced while the service runs. */
  key: () => Signer;
  venue: string;
  account: string;
  /** TTL of a permit. */
  permitSec: number;
  /** Redis's clock, in ms. */
  now: () => number;
}

/** @param attempt id of the plan entry */
export type SignPermit = (decision: Decision, plan: PlanEntry, attempt: string) => Decision;

/**
 * The signed values come from the permit itself, so the two cannot differ. A permit that cannot lead to one of our
 * orders is not signed: its plan closes nothing, or has no mode (the Python apply-layer's).
 */
export function createPermitSigner(options: PermitSignerOptions): SignPermit {
  const { issuer, key, venue, account, permitSec, now } = options;
  return (decision, plan, attempt) => {
    const step = plan.steps.find(isClosing);
    if (decision.verdict !== "granted" || step === undefined || plan.mode === "") return decision;
    const { permit } = decision;
    const safeQty = positive(permit["safe_close_qty"] ?? permit["safe_qty"]);
    const position = issuer.carriesQuantity ? decimal(permit["exchange_position_amt"]) : "";
    const issuedMs = now();
    try {
      const signed = key().sign({
        issuer: issuer.name,
        class: "issuer",
        mode: plan.mode,
        venue,
        account,
        plan: plan.plan_id,
        attempt,
        symbol: plan.symbol,
        side: position === "" ? "" : Big(position).gt(0) ? "SELL" : "BUY",
        step: step.step,
        pct: Big(step.pct ?? 100).toFixed(),
        safe_qty: issuer.carriesQuantity ? safeQty : "",
        position,
        computed_qty: positive(permit["computed_qty"]),
        issued_ms: String(issuedMs),
        until_ms: String(issuedMs + permitSec * MS_PER_SEC + EXECUTE_TTL_MAX_MS),
      });
      return { ...decision, permit: { ...permit, signed } };
    } catch (error) {
      // The plan has values that none of our plans have. The executor refuses its permit.
      if (error instanceof RangeError) return decision;
      throw error;
    }
  };
}

/** "" if missing or 0, which mean the same (docs/wire.md, "Permits"). */
function positive(value: PythonJson | undefined): string {
  const text = decimal(value);
  return text !== "" && Big(text).gt(0) ? text : "";
}

function decimal(value: PythonJson | undefined): string {
  const number = value instanceof PythonFloat ? value.value : value;
  return typeof number === "number" || typeof number === "string" ? Big(number).toFixed() : "";
}
