import { once } from "node:events";
import { WAIT_BUDGET_MAX_MS } from "@quantum/contract";
import { PermitWait, type Verdict } from "@quantum/permits";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { FIELDS, keys, proposalFrom, REQUIRED, startScriptRig } from "./script-rig.fixture.ts";
import { createSweep } from "./sweep.ts";
import { wakeBy } from "./wakes.ts";

const EXECUTE = { decision: "EXECUTE", reason: "", close: { step: "CLOSE_FULL", pct: 100 } } as const;
const STEP_MS = 60_000;

let rig: Awaited<ReturnType<typeof startScriptRig>>;
let wait: PermitWait;
let verdicts: Verdict[];
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());
beforeEach(async () => {
  const { redis } = rig;
  await redis.flushall();
  wait = new PermitWait({ redis, keys, required: REQUIRED, consume: rig.consumer(), stepMs: STEP_MS });
  verdicts = [];
  wait.on("verdict", (verdict) => verdicts.push(verdict));
});
afterEach(() => wait.stop());

/** A plan that another replica opened. */
async function opened(symbol: string, waitMs?: number): Promise<string> {
  const open = rig.opener(waitMs === undefined ? {} : { waitMs });
  return (await open(proposalFrom(FIELDS, symbol), EXECUTE)).planId;
}
const sweep = (options: { all: boolean }) => createSweep({ redis: rig.redis, keys, wait })(options);

describe("a sweep", () => {
  it("ends the plans past their deadline and leaves the others to who watches them", async () => {
    const late = await opened("BTCUSDT", 0);
    await opened("ETHUSDT", WAIT_BUDGET_MAX_MS / 2);
    await sweep({ all: false });
    expect(verdicts).toMatchObject([{ planId: late, reason: "missing_both" }]);
    expect(wait.size).toBe(0);
  });

  it("at start takes up every plan that waits, and ends those whose permits came meanwhile", async () => {
    const permitted = await opened("BTCUSDT");
    await rig.givePermits(permitted);
    await opened("ETHUSDT");
    await sweep({ all: true });
    expect(verdicts).toMatchObject([{ kind: "ok", planId: permitted }]);
    expect(wait.size).toBe(1);
  });

  it("takes up plans whose deadline is further away than anybody waits: Redis's clock has stepped back", async () => {
    const plan = await opened("BTCUSDT");
    const ahead = Date.now() + 3_600_000;
    await rig.redis.hset(keys.plan(plan), { opened_at_ms: ahead, deadline_ms: ahead + 50 });
    await rig.redis.zadd(keys.waiting("BTCUSDT"), ahead, plan);
    await sweep({ all: false });
    await vi.waitFor(() => expect(verdicts).toMatchObject([{ planId: plan, reason: "missing_both" }]));
  });

  it("ends plans of symbols that are on nobody's list any more", async () => {
    const late = await opened("DELISTEDUSDT", 0);
    await sweep({ all: false });
    expect(verdicts).toMatchObject([{ planId: late, symbol: "DELISTEDUSDT" }]);
  });

  it("forgets a plan whose record is gone", async () => {
    const plan = await opened("BTCUSDT", 0);
    await rig.redis.del(keys.plan(plan));
    await sweep({ all: false });
    expect(verdicts).toEqual([]);
    expect(await rig.redis.zcard(keys.waiting("BTCUSDT"))).toBe(0);
  });

  it("says that one symbol cannot be read, and ends the others' plans all the same", async () => {
    await rig.redis.sadd(keys.waitingSymbols, "BTCUSDT");
    await rig.redis.set(keys.waiting("BTCUSDT"), "not what it should be");
    await opened("ETHUSDT", 0);
    await expect(sweep({ all: false })).rejects.toThrow("WRONGTYPE");
    expect(verdicts).toHaveLength(1);
    await sweep({ all: false });
  });

  it("resets an index of symbols of the wrong type", async () => {
    await rig.redis.set(keys.waitingSymbols, "not what it should be");
    await sweep({ all: false });
    expect(await rig.redis.exists(keys.waitingSymbols)).toBe(0);
  });
});

describe("a wake-up", () => {
  it("tries the plan that it names", async () => {
    const plan = await opened("BTCUSDT");
    await rig.givePermits(plan);
    const fields = { plan_id: plan, symbol: "BTCUSDT", issuer: "p33", verdict: "granted", issued_at_ms: "1" };
    const verdict = once(wait, "verdict");
    expect(await wakeBy(wait)({ id: "1-0", fields, deliveries: 1 })).toEqual({ kind: "done" });
    expect(await verdict).toMatchObject([{ kind: "ok" }]);
  });

  it("that cannot be read is passed over", async () => {
    const fields = { plan_id: "../../etc", symbol: "BTCUSDT" };
    expect(await wakeBy(wait)({ id: "1-0", fields, deliveries: 1 })).toEqual({ kind: "done" });
    expect(wait.size).toBe(0);
  });
});
