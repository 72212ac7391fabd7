/**
 * What a plan costs Redis: the commands of each step of a plan that nothing else shares, those in scripts included. A
 * command more is a decision, to be taken here.
 */
import { createIssuer } from "@quantum/permits";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FIELDS, keys, proposalFrom, startScriptRig, SYMBOL } from "./script-rig.fixture.ts";

const EXECUTE = { decision: "EXECUTE", reason: "", close: { step: "CLOSE_PARTIAL_75", pct: 75 } } as const;
const ENOUGH = 10n ** 15n;
const QTY = { qty: 8n * 10n ** 5n };
/** The permits, the reservations and the limits that each issuer gives, takes and keeps. */
const ANSWERS = {
  governor: {
    permit: { decision: "EXECUTE", computed_qty: 0 },
    reservation: {
      amounts: QTY,
      limits: [
        { kind: "count", reason: "hourly_limit_exceeded", window_ms: 3_600_000, max: 10 },
        { kind: "count", reason: "burst_limit_exceeded", window_ms: 300_000, max: 3 },
        { kind: "day", reason: "daily_limit_exceeded", amount: "qty", max: ENOUGH },
      ],
    },
  },
  p33: {
    permit: { safe_close_qty: 0.008, safe_qty: 0.008, exchange_position_amt: 0.011 },
    reservation: { amounts: QTY, limits: [{ kind: "open", amount: "qty", max: ENOUGH }] },
  },
} as const;

let rig: Awaited<ReturnType<typeof startScriptRig>>;
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());

async function commands(step: () => Promise<unknown>): Promise<number> {
  await rig.redis.config("RESETSTAT");
  await step();
  const stats = await rig.redis.info("commandstats");
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  const ours = calls.filter(([, name]) => name !== "config|resetstat" && name !== "info");
  return ours.reduce((sum, [, , count]) => sum + Number(count), 0);
}

/** A plan that ends as a dry run, one script after the other. */
async function costs(computedAtUtc: string): Promise<Record<string, number>> {
  const { redis } = rig;
  const of: Record<string, number> = {};
  let attempt = { planId: "", symbol: SYMBOL, attempt: "" };
  of["open"] = await commands(async () => {
    const opened = await rig.opener({ mode: "dry_run" })(
      proposalFrom({ ...FIELDS, computed_at_utc: computedAtUtc }),
      EXECUTE,
    );
    if (opened.kind !== "opened") throw new Error(`it is ${opened.kind}`);
    attempt = { planId: opened.planId, symbol: SYMBOL, attempt: opened.attempt };
  });
  const issuers = Object.entries(ANSWERS).map(([issuer, answer]) => {
    const times = { permitTtlSec: 60, denialTtlSec: 60, reserveTtlMs: 120_000 };
    return { issuer, answer, of: createIssuer({ redis, keys, issuer, group: issuer, ...times }) };
  });
  for (const { issuer, answer, of: by } of issuers) {
    of[`issue, ${issuer}`] = await commands(async () => {
      const issued = await by.issue(attempt, { verdict: "granted", reason: "within_limits", ...answer });
      expect(issued).toEqual({ kind: "granted" });
    });
  }
  of["consume"] = await commands(async () => {
    const consumed = await rig.consumer()(attempt.planId, SYMBOL);
    expect(consumed).toMatchObject({ kind: "verdict", verdict: { kind: "ok" } });
  });
  const [entryId = ""] = (await redis.xrevrange(keys.streams.result, "+", "-", "COUNT", 1))[0] ?? [];
  for (const { issuer, of: by } of issuers) {
    await redis.xgroup("CREATE", keys.streams.result, issuer, "0").catch(() => undefined);
    await redis.xreadgroup("GROUP", issuer, "test", "COUNT", 100, "STREAMS", keys.streams.result, ">");
    of[`settle, ${issuer}`] = await commands(async () => {
      expect(await by.settle({ ...attempt, entryId, placed: false })).toBe(true);
    });
  }
  return of;
}

it("costs so many commands a step, if nobody halts, denies or has reserved before", async () => {
  // The first plan loads the scripts.
  await costs("2026-01-22T23:20:48.000000");
  expect(await costs("2026-01-22T23:20:49.000000")).toEqual({
    open: 12,
    "issue, governor": 19,
    "issue, p33": 15,
    consume: 13,
    "settle, governor": 10,
    "settle, p33": 9,
  });
});
