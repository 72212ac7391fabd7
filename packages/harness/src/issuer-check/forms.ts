/** What an issuer's permits, denials and wake-ups must look like (docs/wire.md, "Permits" and "Signed permits"). */
import { EXECUTE_TTL_MAX_MS, type PermitEntry } from "@quantum/contract";
import { verifyPermit } from "@quantum/signing";
import { Big } from "big.js";
import { type Bench, type Plan, STEP, WAIT_BUDGET_MS } from "./bench.ts";
import { WORLD } from "./subject.ts";

/** A handover takes a moment after the wait. */
const TTL_MIN_MS = WAIT_BUDGET_MS + 1_000;
/** Between the signature and the key's write. */
const WRITE_MS = 2_000;
/** An issuer may know Redis's clock less exactly than Redis: the executor bears as much. */
const CLOCK_MARGIN_MS = 1_000;

export async function permitFlaws(bench: Bench, plan: Plan): Promise<string[]> {
  const permit = await bench.read(bench.permitKey(plan));
  if (permit === undefined) return [`plan ${plan.planId}: the permit key holds no JSON`];
  return commonFlaws(plan, permit, bench.row.verdictField, true);
}

export async function denialFlaws(bench: Bench, plan: Plan): Promise<string[]> {
  const key = bench.denialKey(plan);
  const denial = await bench.read(key);
  if (denial === undefined) return [`plan ${plan.planId}: ${key} holds no JSON`];
  const flaws = commonFlaws(plan, denial, "allow", bench.row.verdictField === "granted" ? undefined : false);
  if (typeof denial["reason"] !== "string" || denial["reason"] === "") flaws.push("the denial has no reason");
  if ((await bench.redis.pttl(key)) < 0) flaws.push("the denial's key has no TTL");
  return flaws;
}

function commonFlaws(
  plan: Plan,
  body: Record<string, unknown>,
  field: string,
  verdict: boolean | undefined,
): string[] {
  const flaws: string[] = [];
  const expect = (name: string, value: unknown) => {
    if (body[name] !== value)
      flaws.push(`${name} is ${JSON.stringify(body[name])}, not ${JSON.stringify(value)}`);
  };
  if (verdict !== undefined) expect(field, verdict);
  expect("symbol", plan.symbol);
  expect("attempt", plan.attempt);
  const at = body["created_at"];
  if (typeof at !== "number" || Math.abs(at * 1_000 - plan.publishedMs) > 600_000)
    flaws.push(`created_at is ${JSON.stringify(at)}, not epoch seconds of now`);
  return flaws;
}

export async function ttlFlaws(bench: Bench, plan: Plan): Promise<string[]> {
  const key = bench.permitKey(plan);
  const endsAtMs = await bench.redis.pexpiretime(key);
  const livesMs = endsAtMs - plan.publishedMs;
  if (endsAtMs < 0) return ["the permit's key has no TTL"];
  if (livesMs < TTL_MIN_MS)
    return [`the permit lives ${livesMs} ms, and plans wait for ${WAIT_BUDGET_MS} ms and more`];
  return [];
}

export function wakeUpFlaws(plan: Plan, entries: readonly PermitEntry[], issuer: string): string[] {
  const [entry] = entries;
  if (entry === undefined) return ["no wake-up"];
  const flaws: string[] = [];
  if (entry.plan_id !== plan.planId) flaws.push(`the wake-up names plan ${entry.plan_id}`);
  if (entry.symbol !== plan.symbol) flaws.push(`the wake-up names symbol ${entry.symbol}`);
  if (entry.issuer !== issuer) flaws.push(`the wake-up names issuer ${entry.issuer}`);
  return flaws;
}

export async function signatureFlaws(bench: Bench, plan: Plan): Promise<string[]> {
  const permit = (await bench.read(bench.permitKey(plan))) ?? {};
  const text = permit["signed"];
  const verified = verifyPermit(typeof text === "string" ? text : "", bench.publicKeys);
  if ("flaw" in verified) return [`the permit is ${verified.flaw}: ${verified.why}`];
  const { claims } = verified;
  const flaws: string[] = [];
  const expected = {
    issuer: bench.row.name,
    class: "issuer",
    mode: WORLD.mode,
    venue: WORLD.venue,
    account: WORLD.account,
    plan: plan.planId,
    attempt: plan.attempt,
    symbol: plan.symbol,
    step: STEP.step,
    ...(bench.row.carriesQuantity ? {} : { side: "", safe_qty: "", position: "" }),
  };
  for (const [name, value] of Object.entries(expected)) {
    const said = claims[name as keyof typeof claims];
    if (said !== value) flaws.push(`signed ${name} is ${said || "empty"}, not ${value || "empty"}`);
  }
  if (!Big(claims.pct).eq(STEP.pct)) flaws.push(`signed pct is ${claims.pct}, not ${STEP.pct}`);
  const cap = Number(permit["computed_qty"] ?? 0);
  if (Number(claims.computed_qty) !== cap)
    flaws.push(`signed computed_qty is ${claims.computed_qty || "empty"}, the permit's is ${cap}`);
  const issuedMs = Number(claims.issued_ms);
  const earliestMs = plan.publishedMs - CLOCK_MARGIN_MS;
  if (issuedMs < earliestMs || issuedMs > (await bench.nowMs()) + CLOCK_MARGIN_MS)
    flaws.push(
      `issued_ms is ${claims.issued_ms}: not between the plan's publication and now, by Redis's clock`,
    );
  const untilMs = (await bench.redis.pexpiretime(bench.permitKey(plan))) + EXECUTE_TTL_MAX_MS;
  if (Math.abs(Number(claims.until_ms) - untilMs) > WRITE_MS)
    flaws.push(`until_ms is ${claims.until_ms}, not about ${untilMs}: the end of the permit's key and 30 s`);
  return flaws;
}
