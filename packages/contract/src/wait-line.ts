/** The line that operators grep. Source: docs/wire.md, "Log lines". */
import { ttlLabel } from "./issuers.ts";
import { fieldValue } from "./shown-text.ts";

const SHOWN_DECIMALS = 4;

interface Waited {
  planId: string;
  symbol: string;
  /** Time from publication to verdict, by Redis's clock. */
  waitMs: number;
}

export type WaitOutcome =
  /** `safeQty`: decimal text, as P3.3 wrote it. */
  | (Waited & { kind: "ok"; safeQty: string })
  /** `detail`: the denying issuer's own reason, or empty. `permitTtls`: seconds by issuer; none if not known. */
  | (Waited & { kind: "blocked"; reason: string; detail: string; permitTtls: ReadonlyMap<string, number> });

/**
 * Begins as in the operators' quick reference; our own values follow, because extractors find a field by its name. No
 * extracted value comes last: the log record's closing quote would be extracted as well.
 */
export function waitLine(outcome: WaitOutcome): string {
  // Each value may be text from another program.
  const field = (name: string, value: string) => `${name}=${fieldValue(value)}`;
  const plan = field("plan", outcome.planId);
  const symbol = field("symbol", outcome.symbol);
  const wait = `wait_ms=${outcome.waitMs}`;
  if (outcome.kind === "ok")
    return `${WAIT_MARK} OK ${plan} ${wait} ${field("safe_qty", atLeastFourDecimals(outcome.safeQty))} ${symbol}`;
  const detail = outcome.detail === "" ? "" : ` ${field("detail", outcome.detail)}`;
  const ttls = [...outcome.permitTtls].map(([issuer, ttl]) => ` ${ttlLabel(issuer)}=${ttl}`).join("");
  return `${WAIT_MARK} BLOCK ${plan} ${field("reason", outcome.reason)} ${symbol} ${wait}${detail}${ttls}`;
}

const WAIT_MARK = "[PERMIT_WAIT]";
const WAIT_LINE = /^\[PERMIT_WAIT\] (OK|BLOCK)( \w+=[^\s=]*)+$/u;

/** Whether `text` can be a line that {@link waitLine} wrote, whole. */
export function isWaitLine(text: string): boolean {
  return WAIT_LINE.test(text);
}

/** The same text, without the mark by which operators find wait lines: as JSON it still says the same. */
export function withoutWaitMark(text: string): string {
  return text.replaceAll(WAIT_MARK, "[PERMIT_WAIT\\u005d");
}

/** Padded, never rounded: the text is the granted quantity. */
function atLeastFourDecimals(quantity: string): string {
  const [whole = "", decimals = ""] = quantity.split(".");
  return `${whole}.${decimals.padEnd(SHOWN_DECIMALS, "0")}`;
}
