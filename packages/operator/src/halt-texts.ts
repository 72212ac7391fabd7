/** What halts and holds the pipeline, in an operator's words. Pure. */
import type { KillSwitch } from "@quantum/service-kit";
import { duration } from "./duration.ts";
import type { Disarm, KillRecord } from "./halts.ts";
import type { Hold } from "./holds.ts";
import type { ExchangePause } from "./pauses.ts";

/** The value that permitctl writes; others are worth showing. */
const HALTED = "1";

/** Of a kill switch that is on: by whom and why. Since when, {@link KillRecord} says. */
export function killText({ value }: KillSwitch, { who, reason }: KillRecord): string {
  const other = value === HALTED ? "" : `its value is ${value}; `;
  const by = who === undefined ? "no entry says by whom (the Redis user halt, or redis-cli)" : `by ${who}`;
  const why = reason === "" ? "no reason yet, permitctl kill reason TEXT" : reason;
  return `${other}${by}: ${why}`;
}

export function disarmText({ reason, context, atMs }: Disarm, nowMs: number): string {
  const details = Object.entries(context).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${reason}${details.join("")}${atMs === null ? "" : `, for ${duration(nowMs - atMs)}`}`;
}

export function pauseText({ scope, leftMs, reason }: ExchangePause): string {
  return `accepts no ${scope} for ${duration(leftMs)}: ${reason}`;
}

export function holdText({ symbol, sinceMs, exchangeAmt, ledgerAmt }: Hold, nowMs: number): string {
  return `${symbol}: exchange ${exchangeAmt}, ledger ${ledgerAmt}, for ${duration(nowMs - sinceMs)}`;
}
