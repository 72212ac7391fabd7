/**
 * Opens an operator's plan: signs it, and hands it to the executor in one step (`lua/operator/exit.lua`). It needs Redis and the
 * operator's key. The executor verifies the signature, and sends nothing that it does not say.
 */
import { randomBytes } from "node:crypto";
import {
  DRILL_SYMBOL,
  EXIT_ATTEMPT,
  EXIT_STEP,
  EXIT_VALID_MS,
  type ExitAction,
  type PermitClaims,
  TTL_SEC,
} from "@quantum/contract";
import { parseVenue } from "@quantum/exchange";
import { askRedisTime, bindScript } from "@quantum/redis";
import type { Signer } from "@quantum/signing";
import { Big } from "big.js";
import type { Access } from "./access.ts";
import type { Place } from "./place.ts";
import type { Mandate } from "./changes.ts";

const exitScript = bindScript("operator/exit");

/** Who signs, and for which deployment. The executor compares all of it with its own configuration. */
export interface ExitSigner {
  /** The operator's name, under which the executor lists the key. */
  operator: string;
  key: Signer;
  mode: string;
  venue: string;
  account: string;
}

/** What the operator was shown, and wants closed. */
export interface ExitOrder {
  action: Exclude<ExitAction, "exit.drill">;
  symbol: string;
  /** The position that was shown, signed decimal text; of a flat symbol 0, to cancel what rests. It decides the side. */
  position: string;
  /** The largest quantity, decimal text: at most the position. */
  quantity: string;
  /** Share of the position that was asked for, in percent. Only shown: the quantity is what counts. */
  pct?: string;
}

/** A signed plan. It may be handed over again and again, and is opened once. */
export interface SignedExit {
  planId: string;
  action: ExitAction;
  claims: Pick<PermitClaims, "class" | "symbol" | "side" | "pct" | "safe_qty" | "position">;
  signed: string;
  /** By Redis's clock, in ms: after this nothing is claimed. */
  untilMs: number;
}

export type OpenedExit =
  /** The executor has it. */
  | { kind: "opened"; planId: string; attempt: string; entryId: string; untilMs: number }
  /** Redis's clock passed the signature's end before the plan was there: it was stepped, or Redis took a minute. */
  | { kind: "late"; planId: string };

/**
 * Opens one plan, of which the executor makes at most one order.
 * @throws RangeError if a value is not allowed in a signed permit
 */
export async function openExit(
  access: Access,
  signer: ExitSigner,
  order: ExitOrder,
  by: Mandate,
): Promise<OpenedExit> {
  return openSigned(access, signer, await signExit(access, signer, order), by);
}

/** Opens a drill: the executor reads the account and reports, and cancels and sends nothing. */
export async function openDrill(access: Access, signer: ExitSigner, by: Mandate): Promise<OpenedExit> {
  return openSigned(access, signer, await signDrill(access, signer), by);
}

/** @throws RangeError if a value is not allowed in a signed permit */
export function signExit(access: Access, signer: ExitSigner, order: ExitOrder): Promise<SignedExit> {
  const { action, symbol, position, quantity, pct = "100" } = order;
  const side = Big(position).gt(0) ? "SELL" : "BUY";
  return sign(access, signer, {
    action,
    claims: { class: "operator", symbol, side, pct, safe_qty: quantity, position },
  });
}

export function signDrill(access: Access, signer: ExitSigner): Promise<SignedExit> {
  return sign(access, signer, {
    action: "exit.drill",
    claims: { class: "drill", symbol: DRILL_SYMBOL, side: "", pct: "100", safe_qty: "", position: "" },
  });
}

/** The venue's name in signed texts, of its URL or of the name itself. Throws an Error that names the rule. */
export function venueName(venue: string): string {
  return /^https?:/i.test(venue) ? parseVenue(venue).name : venue;
}

const PLAN_ID_BYTES = 8;
/** The entry has no empty quantities. */
const NOTHING = "0";

/** A drill is of the account, like what belongs to the exchange. */
export function placeOfExit(
  { partitions }: Access,
  { action, claims }: Pick<SignedExit, "action" | "claims">,
): Place {
  return action === "exit.drill" ? partitions.account : partitions.of(claims.symbol);
}

async function sign(
  access: Access,
  { operator, key, mode, venue, account }: ExitSigner,
  { action, claims }: Pick<SignedExit, "action" | "claims">,
): Promise<SignedExit> {
  const { redis } = placeOfExit(access, { action, claims });
  const planId = randomBytes(PLAN_ID_BYTES).toString("hex");
  // An executor asks first about what was signed before it owned the orders, so the milliseconds matter.
  const issuedMs = await askRedisTime(redis);
  const untilMs = issuedMs + EXIT_VALID_MS;
  const signed = key.sign({
    ...claims,
    issuer: operator,
    mode,
    venue,
    account,
    plan: planId,
    attempt: EXIT_ATTEMPT,
    step: EXIT_STEP,
    computed_qty: "",
    issued_ms: String(issuedMs),
    until_ms: String(untilMs),
  });
  return { planId, action, claims, signed, untilMs };
}

export async function openSigned(
  access: Access,
  { operator, mode }: ExitSigner,
  exit: SignedExit,
  by: Mandate,
): Promise<OpenedExit> {
  const { planId, action, claims, signed, untilMs } = exit;
  const { redis, keys } = placeOfExit(access, exit);
  const [status, attempt = "", entryId = ""] = await exitScript(redis, {
    keys: {
      plan: keys.plan(planId),
      spent: keys.spent(planId),
      order: keys.order(planId),
      plans: keys.streams.plan,
      executes: keys.streams.execute,
      handed_over: keys.handedOver,
      audit: keys.streams.operatorAudit,
    },
    args: {
      plan_id: planId,
      symbol: claims.symbol,
      class: claims.class,
      mode,
      step: EXIT_STEP,
      close_pct: claims.pct,
      position_amt: claims.position || NOTHING,
      safe_qty: claims.safe_qty || NOTHING,
      until_ms: String(untilMs),
      signed,
      operator,
      action,
      ...by,
      spent_sec: String(TTL_SEC.spent),
      record_sec: String(TTL_SEC.plan),
    },
  });
  switch (status) {
    case "OPENED":
    // The client repeats a call that a lost connection has left without its answer.
    case "KNOWN":
      return { kind: "opened", planId, attempt, entryId, untilMs };
    case "LATE":
      return { kind: "late", planId };
    default:
      throw new Error(`operator/exit answered ${String(status)}`);
  }
}
