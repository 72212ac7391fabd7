/** For tests: the fields of an execute entry, and what the issuers sign of them. */
import { QUANTITY_ISSUER } from "@quantum/contract";
import type { Signer } from "@quantum/signing";
import { Big } from "big.js";

/** The fields of an execute entry. */
export interface Spent extends Record<string, string> {
  plan_id: string;
  symbol: string;
  attempt: string;
  valid_until_ms: string;
}

/** What the issuers sign of the entry. */
export function signedBy(
  signers: ReadonlyMap<string, Signer>,
  entry: Spent,
  { issuedMs, permitMs }: { issuedMs: number; permitMs: number },
): string {
  const isShort = entry["position_amt"]?.startsWith("-") ?? false;
  const texts = [...signers].map(([issuer, signer]) => {
    const carriesQuantity = issuer === QUANTITY_ISSUER;
    return signer.sign({
      issuer,
      class: "issuer",
      mode: entry["mode"] ?? "",
      venue: "simulated",
      account: "main",
      plan: entry.plan_id,
      attempt: entry.attempt,
      symbol: entry.symbol,
      side: carriesQuantity ? (isShort ? "BUY" : "SELL") : "",
      step: entry["step"] ?? "",
      pct: Big(entry["close_pct"] ?? "").toFixed(),
      safe_qty: carriesQuantity ? (entry["safe_qty"] ?? "") : "",
      position: carriesQuantity ? (entry["position_amt"] ?? "") : "",
      computed_qty: "",
      issued_ms: String(issuedMs),
      until_ms: String(issuedMs + permitMs),
    });
  });
  return texts.join("\n");
}
