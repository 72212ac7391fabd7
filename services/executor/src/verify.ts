/**
 * Whether an entry's permits are what this executor's issuers signed for it. The entry comes from Redis, so it is not
 * trusted: mode, venue, account and the required issuers come from the executor's own configuration, and side and
 * quantity from the signed values. Pure, except for the keys.
 */
import {
  type ExecuteEntry,
  type OrderReason,
  parseSignedPermit,
  type PermitClaims,
  type PermitClass,
  QUANTITY_ISSUER,
} from "@quantum/contract";
import { type IssuerKeys, verifyPermit } from "@quantum/signing";
import { Big } from "big.js";

export interface Trust {
  mode: string;
  venue: string;
  account: string;
  /** The issuers whose permits every order needs. */
  required: readonly string[];
  /** Required issuers that cannot sign. */
  unsigned: ReadonlySet<string>;
  /** The issuers' keys, which may change while the service runs. */
  keys: () => IssuerKeys;
  /** The operators' keys, which count for exits alone; none if nobody is enrolled. They may change as well. */
  operatorKeys: () => IssuerKeys;
}

export const PERMIT_FLAWS = [
  "permit_unsigned",
  "permit_forged",
  "permit_expired",
  "permit_of_another_plan",
] as const satisfies readonly OrderReason[];
export type PermitFlaw = (typeof PERMIT_FLAWS)[number];

/** For each required issuer: what is known about its signature. */
export type Signatures = Readonly<Record<string, "valid" | "unsigned" | PermitFlaw>>;

export type Verified = { signatures: Signatures } & (
  | {
      kind: "verified";
      /** What an order may use, instead of the entry's values. */
      amounts: Pick<ExecuteEntry, "position_amt" | "safe_qty" | "max_qty">;
      /** When the first permit was issued, by Redis's clock, in ms; undefined if none is signed. */
      issuedMs: number | undefined;
      /** Until when all of them are valid, by Redis's clock, in ms; Infinity if none is signed. */
      untilMs: number;
    }
  | { kind: "flawed"; reason: PermitFlaw; why: string }
);

/** In this mode nothing is sent, whoever signs. */
export const DRY_RUN = "dry_run";
/** How much two processes may disagree about Redis's clock. */
const CLOCK_MARGIN_MS = 1_000;
const ISSUER_CLASS = "issuer" satisfies PermitClass;
/** More texts than any plan has issuers are not looked at: each costs the time of a signature. */
const TEXTS_MAX = 16;
/** Of a value that stands in a message. */
const SHOWN_CHARS = 64;

export interface Flaw {
  reason: PermitFlaw;
  why: string;
}

export function verifyPermits(entry: ExecuteEntry, trust: Trust, nowMs: number): Verified {
  const keys = trust.keys();
  const permits = new Map<string, PermitClaims>();
  const flaws = new Map<string, Flaw>();
  const texts = entry.signed.split("\n", TEXTS_MAX + 1);
  if (texts.length > TEXTS_MAX)
    flaws.set("", { reason: "permit_forged", why: `more than ${TEXTS_MAX} signed permits` });
  for (const text of texts.slice(0, TEXTS_MAX)) {
    if (text === "") continue;
    const read = verifyPermit(text, keys);
    if ("flaw" in read) flaws.set(issuerNamedIn(text), { reason: "permit_forged", why: read.why });
    else {
      const { claims } = read;
      const flaw = permits.has(claims.issuer) ? TWICE : flawOf(claims, entry, trust, nowMs);
      if (flaw !== undefined) flaws.set(claims.issuer, flaw);
      permits.set(claims.issuer, claims);
    }
  }
  for (const issuer of trust.required) {
    if (!permits.has(issuer) && !flaws.has(issuer) && !trust.unsigned.has(issuer))
      flaws.set(issuer, { reason: "permit_unsigned", why: "no signed permit" });
  }
  if (entry.mode !== trust.mode && !flaws.has(""))
    flaws.set("", another("the entry's mode", entry.mode, trust.mode));
  // No entry is handed over in a dry run. Whoever wrote this one has permits of dry runs, which sign real quantities.
  if (trust.mode === DRY_RUN && !flaws.has(""))
    flaws.set("", another("the entry's mode", entry.mode, "one in which this executor sends orders"));

  const signatures: Signatures = Object.fromEntries(
    trust.required.map((issuer) => [
      issuer,
      flaws.get(issuer)?.reason ?? (permits.has(issuer) ? ("valid" as const) : ("unsigned" as const)),
    ]),
  );
  const [first] = flaws;
  if (first !== undefined) {
    const [issuer, { reason, why }] = first;
    return { kind: "flawed", reason, why: issuer === "" ? why : `${issuer}: ${why}`, signatures };
  }
  const issued = [...permits.values()].map(({ issued_ms: ms }) => Number(ms));
  const issuedMs = issued.length === 0 ? undefined : Math.min(...issued);
  const untilMs = Math.min(...[...permits.values()].map(({ until_ms: ms }) => Number(ms)));
  return { kind: "verified", amounts: amountsOf(entry, permits, trust), issuedMs, untilMs, signatures };
}

/** Only for the message: the issuer that the text names, whoever signed it. */
function issuerNamedIn(text: string): string {
  const parsed = parseSignedPermit(text);
  return "claims" in parsed ? parsed.claims.issuer : "";
}

const TWICE: Flaw = { reason: "permit_forged", why: "two permits of one issuer" };

function flawOf(
  claims: PermitClaims,
  entry: ExecuteEntry,
  { mode, venue, account }: Trust,
  nowMs: number,
): Flaw | undefined {
  const { plan_id: plan, attempt, symbol, step } = entry;
  const said: Partial<PermitClaims> = {
    class: ISSUER_CLASS,
    mode,
    venue,
    account,
    plan,
    attempt,
    symbol,
    step,
  };
  const flaw = mismatch(claims, said);
  if (flaw !== undefined) return flaw;
  if (!Big(claims.pct).eq(entry.close_pct)) return another("pct", claims.pct, entry.close_pct);
  const late = timeFlaw(claims, nowMs);
  if (late !== undefined) return late;
  return claims.issuer === QUANTITY_ISSUER ? quantityFlaw(claims) : undefined;
}

/** The first claim that is not as expected. */
export function mismatch(claims: PermitClaims, expected: Partial<PermitClaims>): Flaw | undefined {
  for (const [name, value] of Object.entries(expected) as [keyof PermitClaims, string][])
    if (claims[name] !== value) return another(name, claims[name], value);
  return undefined;
}

/** @param nowMs by Redis's clock, in ms */
export function timeFlaw(
  { issued_ms: issuedMs, until_ms: untilMs }: PermitClaims,
  nowMs: number,
): Flaw | undefined {
  if (nowMs > Number(untilMs))
    return { reason: "permit_expired", why: `valid until ${untilMs}, it is ${nowMs}` };
  if (Number(issuedMs) > nowMs + CLOCK_MARGIN_MS)
    return { reason: "permit_expired", why: `issued at ${issuedMs}, it is only ${nowMs}` };
  return undefined;
}

/** The permit with the quantity must be complete, and its side must close the position. */
export function quantityFlaw({ side, safe_qty: safeQty, position }: PermitClaims): Flaw | undefined {
  if (safeQty === "" || position === "" || side === "")
    return { reason: "permit_forged", why: "it does not say side, quantity and position" };
  const closing = Big(position).gt(0) ? "SELL" : "BUY";
  return side === closing
    ? undefined
    : { reason: "permit_forged", why: `${side} does not close ${position}` };
}

export function another(name: string, said: string, expected: string): Flaw {
  return {
    reason: "permit_of_another_plan",
    why: `${name} is ${shown(said)}, not ${shown(expected)}`,
  };
}

/** Whatever its length, it fits into a log line, a record and a result. */
function shown(value: string): string {
  if (value.length > SHOWN_CHARS) return `${value.slice(0, SHOWN_CHARS)}…`;
  return value || "empty";
}

/** The entry's own values only count where issuers do not sign, because there are no others. */
function amountsOf(
  entry: ExecuteEntry,
  permits: ReadonlyMap<string, PermitClaims>,
  { required }: Trust,
): Pick<ExecuteEntry, "position_amt" | "safe_qty" | "max_qty"> {
  const quantity = permits.get(QUANTITY_ISSUER);
  const caps = [...permits.values()].map(({ computed_qty: cap }) => cap);
  if (required.some((issuer) => !permits.has(issuer))) caps.push(entry.max_qty);
  const lowest = caps
    .filter((cap) => cap !== "")
    .reduce<string>((least, cap) => (least === "" || Big(cap).lt(least) ? cap : least), "");
  return {
    position_amt: quantity?.position ?? entry.position_amt,
    safe_qty: quantity?.safe_qty ?? entry.safe_qty,
    max_qty: lowest,
  };
}
