/** The line that operators grep. Source: WIRE.md, "Log lines". */
import { ttlLabel } from "./issuers.ts";

const SHOWN_DECIMALS = 4;

interface Waited {
  planId: string;
  symbol: string;
  /** From publication to verdict, by Redis's clock. */
  waitMs: number;
}

export type WaitOutcome =
  /** `safeQty`: decimal text, as P3.3 wrote it. */
  | (Waited & { kind: "ok"; safeQty: string })
  /** `detail`: the denying issuer's own reason, or empty. `permitTtls`: seconds by issuer; none if not known. */
  | (Waited & { kind: "blocked"; reason: string; detail: string; permitTtls: ReadonlyMap<string, number> });

/**
 * Begins as the operators' quick reference prints it; what is ours follows, because every extractor finds a field by its
 * name. No extracted value stands last, lest a log record's closing quote be extracted too.
 */
export function waitLine(outcome: WaitOutcome): string {
  const { planId, symbol, waitMs } = outcome;
  if (outcome.kind === "ok")
    return `[PERMIT_WAIT] OK plan=${planId} wait_ms=${waitMs} safe_qty=${atLeastFourDecimals(outcome.safeQty)} symbol=${symbol}`;
  // The issuer's words: a blank or a `=` in them would look like another field.
  const detail = outcome.detail === "" ? "" : ` detail=${outcome.detail.replaceAll(/[^\w.:-]/g, "_")}`;
  const ttls = [...outcome.permitTtls].map(([issuer, ttl]) => ` ${ttlLabel(issuer)}=${ttl}`).join("");
  return `[PERMIT_WAIT] BLOCK plan=${planId} reason=${outcome.reason} symbol=${symbol} wait_ms=${waitMs}${detail}${ttls}`;
}

/** Padded, never rounded: the text is what was permitted. */
function atLeastFourDecimals(quantity: string): string {
  const [whole = "", decimals = ""] = quantity.split(".");
  return `${whole}.${decimals.padEnd(SHOWN_DECIMALS, "0")}`;
}
