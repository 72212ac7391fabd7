import { hash } from "node:crypto";
import type { Proposal } from "./proposal.ts";
import { formatFixed6, formatPythonFloat } from "./python.ts";

const PLAN_ID_DIGITS = 16;

/** The part of a proposal that identifies its plan. */
export type PlanIdentity = Pick<
  Proposal,
  "symbol" | "harvestAction" | "killScore" | "newSlProposed" | "computedAtUtc"
>;

/** The text of which a plan id is the hash, byte for byte as in the Python services. */
export function planFingerprint(proposal: PlanIdentity): string {
  const { symbol, harvestAction, killScore, newSlProposed, computedAtUtc } = proposal;
  const stopLoss = newSlProposed === undefined ? "None" : formatPythonFloat(newSlProposed);
  return [symbol, harvestAction, formatFixed6(killScore), stopLoss, computedAtUtc].join(":");
}

/** First 16 hex digits of the fingerprint's SHA-256. */
export function planId(proposal: PlanIdentity): string {
  return hash("sha256", planFingerprint(proposal), "hex").slice(0, PLAN_ID_DIGITS);
}
