/** The portfolio, from P3.3's snapshots and the proposals' hashes, or why it is unknown. Pure. */
import {
  CLOCK_BOUND_MS,
  parsePythonFloat,
  POSITION_FIELDS,
  type PositionFlaw,
  readPosition,
} from "@quantum/contract";
import type { Big } from "big.js";
import { grossOf, type Holding, type Stress, stressOf } from "./stress.ts";

type Hash = Readonly<Record<string, string>>;

/** A symbol's hashes in Redis: empty if missing, undefined if unreadable. */
export interface SymbolHashes {
  symbol: string;
  snapshot: Hash | undefined;
  proposal: Hash | undefined;
  /** When they were read, by the clock of the symbol's partition. */
  nowMs: number;
}

export const SNAPSHOT_FIELDS = POSITION_FIELDS;
export const PROPOSAL_FIELDS = ["sigma", "last_update_epoch"] as const;

const FLAWS = [
  "snapshot_missing",
  "snapshot_stale",
  "snapshot_unreadable",
  "sigma_missing",
  "sigma_stale",
  "sigma_unreadable",
  "executions_unreadable",
] as const;
export type Flaw = (typeof FLAWS)[number];

export interface Unknown {
  flaw: Flaw;
  symbol: string;
  /** As text. */
  what: string;
}

export interface Portfolio extends Stress {
  /** Signed, in coins, for every symbol. */
  positions: ReadonlyMap<string, Big>;
  /** In dollars. */
  grossNotional: number;
}

/**
 * The default of APPLY_PROPOSAL_MAX_AGE_SEC. An older proposal opens no plan and says nothing about the current
 * volatility.
 */
const SIGMA_MAX_AGE_MS = 300_000;
const MS_PER_SEC = 1_000;
/** No account holds more dollars in a symbol. Keeps sums far below what a double cannot represent. */
const NOTIONAL_MAX = 1e15;

export function isUnknown(found: Portfolio | Unknown): found is Unknown {
  return "flaw" in found;
}

/** One unknown symbol makes the whole portfolio unknown. */
export function portfolioOf(hashes: readonly SymbolHashes[], sigmaRef: number): Portfolio | Unknown {
  const positions = new Map<string, Big>();
  const holdings: Holding[] = [];
  for (const { symbol, snapshot, proposal, nowMs } of hashes) {
    const unknown = ({ flaw, what }: PositionFlaw, of: "snapshot" | "sigma"): Unknown => {
      return { flaw: `${of}_${flaw}`, symbol, what };
    };
    const position = readPosition(snapshot, nowMs);
    if ("flaw" in position) return unknown(position, "snapshot");
    const { amount, markPrice } = position;
    positions.set(symbol, amount);
    // A flat symbol has no weight.
    if (amount.eq(0)) continue;
    const notional = markPrice === undefined ? Number.NaN : amount.times(markPrice).toNumber();
    // Written so that NaN fails the check.
    if (!(Math.abs(notional) <= NOTIONAL_MAX))
      return unknown({ flaw: "unreadable", what: "snapshot has no usable price" }, "snapshot");
    const sigma = readSigma(proposal, nowMs);
    if (typeof sigma !== "number") return unknown(sigma, "sigma");
    holdings.push({ notional, sigma });
  }
  return { ...stressOf(holdings, sigmaRef), positions, grossNotional: grossOf(holdings) };
}

function readSigma(hash: Hash | undefined, nowMs: number): number | PositionFlaw {
  if (hash === undefined) return { flaw: "unreadable", what: "proposal cannot be read" };
  if (Object.keys(hash).length === 0) return { flaw: "missing", what: "no proposal" };
  const [sigma, updatedAtSec] = PROPOSAL_FIELDS.map((name) => parsePythonFloat(hash[name] ?? ""));
  if (!(sigma !== undefined && sigma > 0 && sigma < Infinity))
    return { flaw: "unreadable", what: "sigma is not a number above 0" };
  const ageMs = nowMs - (updatedAtSec ?? Number.NaN) * MS_PER_SEC;
  // Written so that NaN fails the check. A proposal from the future may be of any age.
  if (!(ageMs <= SIGMA_MAX_AGE_MS && ageMs >= -CLOCK_BOUND_MS))
    return {
      flaw: "stale",
      what: Number.isNaN(ageMs) ? "sigma has no time" : `sigma is ${Math.round(ageMs)} ms old`,
    };
  return sigma;
}
