/** Proposals that would execute, each another plan's. */
import { parseProposal, planId } from "@quantum/contract";

const SECONDS = "2026-01-22T23:20:48".length;
const FRACTION_DIGITS = 6;
let made = 0;

/** The fields of a stream entry. */
export function nextProposal(symbol: string): Record<string, string> & { symbol: string } {
  const now = new Date();
  made += 1;
  return {
    symbol,
    harvest_action: "PARTIAL_25",
    kill_score: "0.5273976547718264",
    new_sl_proposed: "100.2",
    R_net: "7.013614233516237",
    k_regime_flip: "0.0",
    k_ts_drop: "1e-05",
    computed_at_utc: `${now.toISOString().slice(0, SECONDS)}.${String(made).padStart(FRACTION_DIGITS, "0")}`,
    last_update_epoch: String(Math.floor(now.getTime() / 1000)),
  };
}

export function planIdOf(fields: Record<string, string> & { symbol: string }): string {
  const parsed = parseProposal(fields.symbol, fields);
  if (!parsed.ok) throw new Error(parsed.problems.join("; "));
  return planId(parsed.proposal);
}
