/** More issuers than two: whichever of them fails, and however. */
import { waitReasons } from "@quantum/contract";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createIssuer } from "./issue.ts";
import { ATTEMPT, FAR_MS, GOVERNOR, GRACE_MS, keys, P33, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const required = ["governor", "p33", "p26"];
const P26 = { allow: true, symbol: SYMBOL, reason: "portfolio_cap_cold", computed_qty: 0.0055 };
const PERMITS: Readonly<Record<string, object>> = { governor: GOVERNOR, p33: P33, p26: P26 };
const CLOSED = waitReasons(required);
/** Its wait has just ended. */
const OVER_MS = -1;

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const consume = () => plans.consumer({ required })(PLAN, SYMBOL);
const permitsOf = (issuers: readonly string[]) =>
  Object.fromEntries(issuers.map((issuer) => [issuer, PERMITS[issuer]]));
const without = (...issuers: string[]) => required.filter((issuer) => !issuers.includes(issuer));

/** Nothing was spent, and nothing is left to spend. */
async function expectNothingSpent(): Promise<void> {
  expect(await plans.executes()).toEqual([]);
  expect(await plans.redis.exists(keys.spent(PLAN))).toBe(0);
  expect(await plans.permitsLeft(required)).toBe(0);
  expect(await plans.results()).toHaveLength(1);
}

describe("a plan that needs three permits", () => {
  it("spends all three together, and the record says whose cap is below the safe quantity", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits(PERMITS);
    expect(await consume()).toMatchObject({ verdict: { kind: "ok", safeQty: "0.008" } });
    expect(await plans.executes()).toMatchObject([{ safe_qty: "0.008", max_qty: "0.0055" }]);
    expect(await plans.permitsLeft(required)).toBe(0);
    const record = await plans.redis.hgetall(keys.plan(PLAN));
    expect(record).toMatchObject({ p26_verdict: "granted", p26_cap: "0.0055" });
    expect(Object.keys(record).filter((field) => field.endsWith("_cap"))).toEqual(["p26_cap"]);
  });

  it.each([
    ["equal to the safe quantity", 0.008],
    ["above it", 0.011],
    ["0, which is none", 0],
  ])("has no cap in its record where it is %s", async (_, cap) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ ...PERMITS, p26: { ...P26, computed_qty: cap } });
    expect(await consume()).toMatchObject({ verdict: { kind: "ok" } });
    expect(await plans.redis.hexists(keys.plan(PLAN), "p26_cap")).toBe(0);
  });

  it.each(["governor", "p33", "p26", "governor,p33", "governor,p26", "p33,p26", "governor,p33,p26"])(
    "waits for %s, and names them when the wait is over",
    async (names) => {
      const lacking = names.split(",");
      await plans.givenPlan(FAR_MS);
      await plans.givenPermits(permitsOf(without(...lacking)));
      const before = await plans.keyspace();
      expect(await consume()).toMatchObject({ kind: "waiting", lacking });
      expect(await plans.keyspace()).toEqual(before);

      await plans.givenPlan(OVER_MS);
      const reason = `missing_${lacking.join("_")}`;
      expect(await consume()).toMatchObject({ verdict: { kind: "blocked", reason } });
      expect(CLOSED).toContain(reason);
      await expectNothingSpent();
    },
  );
});

describe.each(required)("%s", (issuer) => {
  const denial =
    issuer === "governor"
      ? () => plans.redis.set(keys.block(issuer, PLAN), '{"reason": "hourly_limit_exceeded"}')
      : () => plans.givenPermits({ [issuer]: { allow: false, symbol: SYMBOL, reason: "no_position" } });

  it("denies, and the wait ends at once: the others' permits are not spent", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits(permitsOf(without(issuer)));
    await denial();
    const reason = `${issuer}_permit_denied`;
    expect(await consume()).toMatchObject({
      verdict: { reason, detail: expect.stringMatching(/^(hourly|no_)/) },
    });
    expect(CLOSED).toContain(reason);
    await expectNothingSpent();
  });

  it("denies while others have not answered, and while another's permit is malformed", async () => {
    const [other = "", third = ""] = without(issuer);
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ [other]: "no JSON" });
    await denial();
    expect(await plans.permitsLeft([third])).toBe(0);
    expect(await consume()).toMatchObject({ verdict: { reason: `${issuer}_permit_denied` } });
    await expectNothingSpent();
  });

  it.each<[string, (permit: object) => object | string]>([
    ["no JSON", () => "granted"],
    ["a list", () => "[]"],
    ["the bare text 1", () => "1"],
    ["a verdict that is a text", (permit) => ({ ...permit, granted: "true", allow: "true" })],
    ["no verdict", ({ ...permit }) => ({ ...permit, granted: undefined, allow: undefined })],
    ["another symbol", (permit) => ({ ...permit, symbol: "ETHUSDT" })],
    ["consumed", (permit) => ({ ...permit, consumed: true })],
    ["a cap that is a text", (permit) => ({ ...permit, computed_qty: "0.001" })],
    ["a cap below 0", (permit) => ({ ...permit, computed_qty: -1 })],
  ])("writes a malformed permit (%s), and the plan is blocked", async (_, spoil) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ ...PERMITS, [issuer]: spoil(PERMITS[issuer] ?? {}) });
    const reason = `invalid_${issuer}_permit_format`;
    expect(await consume()).toMatchObject({ verdict: { reason } });
    expect(CLOSED).toContain(reason);
    await expectNothingSpent();
  });

  it("is late: what it writes after the end is never spent, and its script writes nothing", async () => {
    await plans.givenPlan(OVER_MS);
    await plans.givenPermits(permitsOf(without(issuer)));
    const blocked = { verdict: { reason: `missing_${issuer}` } };
    expect(await consume()).toMatchObject({ ...blocked, replayed: false });
    const late = createIssuer({
      redis: plans.redis,
      keys,
      issuer,
      group: issuer,
      permitTtlSec: 60,
      denialTtlSec: 60,
      reserveTtlMs: FAR_MS,
    });
    const answer = { verdict: "granted", reason: "late", permit: {} } as const;
    const plan = { planId: PLAN, symbol: SYMBOL, attempt: ATTEMPT };
    expect(await late.issue(plan, answer)).toEqual({ kind: "ended" });
    await expectNothingSpent();
    await plans.givenPermits(permitsOf([issuer]));
    expect(await consume()).toMatchObject({ ...blocked, replayed: true });
    expect(await plans.executes()).toEqual([]);
  });

  it("may still be found a moment after the deadline, and not later", async () => {
    await plans.givenPlan(OVER_MS);
    await plans.givenPermits(PERMITS);
    const patient = plans.consumer({ required, graceMs: FAR_MS });
    expect(await patient(PLAN, SYMBOL)).toMatchObject({ verdict: { kind: "ok" } });
    await plans.redis.flushall();
    await plans.givenPlan(-GRACE_MS - 1_000);
    await plans.givenPermits(PERMITS);
    expect(await consume()).toMatchObject({ verdict: { reason: "deadline_passed" } });
    await expectNothingSpent();
  });
});

describe("for any number of issuers", () => {
  const NAMES = ["p33", "governor", "p26", "hours", "desk"];
  const STATES = ["granted", "missing", "denied", "malformed", "of another attempt"] as const;
  type State = (typeof STATES)[number];
  const textOf = (issuer: string, state: State): string | undefined => {
    const permit = PERMITS[issuer] ?? { allow: true, symbol: SYMBOL };
    if (state === "missing") return undefined;
    if (state === "granted") return JSON.stringify({ ...permit, attempt: ATTEMPT });
    if (state === "of another attempt") return JSON.stringify({ ...permit, attempt: "1-0" });
    if (state === "malformed") return "no JSON";
    return JSON.stringify({ allow: false, granted: false, symbol: SYMBOL, reason: "no_position" });
  };
  // Mostly granted; otherwise a plan of five would hardly ever have all of them.
  const state = fc.oneof(
    { weight: 6, arbitrary: fc.constant("granted" as const) },
    fc.constantFrom(...STATES),
  );
  const some = fc
    .record({ count: fc.integer({ min: 1, max: NAMES.length }), order: fc.infiniteStream(fc.nat()) })
    .map(({ count, order }) => {
      const ranks = new Map(NAMES.map((name) => [name, order.next().value as number]));
      // In any order. Without P3.3, whose permit has the quantity, nothing is ever handed over.
      return NAMES.slice(0, count).toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0));
    });

  it("spends every permit or none of them", async () => {
    await fc.assert(
      fc.asyncProperty(
        some,
        fc.array(state, { minLength: NAMES.length, maxLength: NAMES.length }),
        fc.boolean(),
        async (issuers, states, isOver) => {
          await plans.redis.flushall();
          await plans.givenPlan(isOver ? OVER_MS : FAR_MS);
          const given = issuers.flatMap((issuer, index): [string, string][] => {
            const text = textOf(issuer, states[index] ?? "missing");
            return text === undefined ? [] : [[issuer, text]];
          });
          await plans.givenPermits(Object.fromEntries(given));
          const all = plans.consumer({ required: issuers, graceMs: FAR_MS });
          const { kind } = await all(PLAN, SYMBOL);

          const found = {
            permits: await plans.permitsLeft(issuers),
            spent: await plans.redis.exists(keys.spent(PLAN)),
            handedOver: (await plans.executes()).length,
            blocked: (await plans.results()).length,
          };
          const isPermitted = issuers.every((_, index) => states[index] === "granted");
          const isWaiting = kind === "waiting";
          expect([isPermitted && isWaiting, found]).toEqual([
            false,
            {
              permits: isWaiting ? given.length : 0,
              spent: Number(isPermitted),
              handedOver: Number(isPermitted),
              blocked: Number(!isPermitted && !isWaiting),
            },
          ]);

          const after = await plans.keyspace();
          await all(PLAN, SYMBOL);
          expect(await plans.keyspace()).toEqual(after);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("hands over the smallest cap, whoever set it, and records each that is below the safe quantity", async () => {
    const safeThousandths = 8;
    const cap = fc.integer({ min: 1, max: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(cap), { minLength: NAMES.length, maxLength: NAMES.length }),
        async (caps) => {
          await plans.redis.flushall();
          await plans.givenPlan(FAR_MS);
          const permits = NAMES.map((issuer, index) => {
            const permit = { ...(PERMITS[issuer] ?? { allow: true, symbol: SYMBOL }), computed_qty: 0 };
            const thousandths = caps[index] ?? null;
            return [issuer, thousandths === null ? permit : { ...permit, computed_qty: thousandths / 1_000 }];
          });
          await plans.givenPermits(Object.fromEntries(permits) as Record<string, object>);
          await plans.consumer({ required: NAMES })(PLAN, SYMBOL);
          const set = caps.filter((thousandths) => thousandths !== null);
          const smallest = set.length === 0 ? "" : String(Math.min(...set) / 1_000);
          expect(await plans.executes()).toMatchObject([{ safe_qty: "0.008", max_qty: smallest }]);
          const record = await plans.redis.hgetall(keys.plan(PLAN));
          const recorded = Object.entries(record).filter(([field]) => field.endsWith("_cap"));
          const below = NAMES.flatMap((issuer, index) => {
            const thousandths = caps[index] ?? safeThousandths;
            return thousandths < safeThousandths ? [[`${issuer}_cap`, String(thousandths / 1_000)]] : [];
          });
          expect(Object.fromEntries(recorded)).toEqual(Object.fromEntries(below));
        },
      ),
    );
  });
});
