/** The mark of the wire's kill switch in a partition, as `issue` and `consume` read it. */
import { MARK_CASES, MARKED } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  granted,
  issuerOn,
  keys,
  PLAN,
  publish,
  redis,
  reservations,
  SYMBOL,
  useRedis,
} from "./issuer.fixture.ts";
import { FAR_MS, startPlans } from "./plan.fixture.ts";

/** For what is issued. What is spent has a Redis of its own. */
useRedis();
let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const issue = (attempt: string, layout = MARKED) =>
  issuerOn(redis, "governor", layout).issue({ planId: PLAN, symbol: SYMBOL, attempt }, granted());

async function consume(planId = PLAN, layout = MARKED): Promise<string> {
  const consumed = await plans.consumer({ keys: layout })(planId, SYMBOL);
  if (consumed.kind !== "verdict") return consumed.kind;
  return consumed.verdict.kind === "ok" ? "ok" : consumed.verdict.reason;
}

async function givenPermits(planId = PLAN): Promise<void> {
  await plans.givenPlan(FAR_MS, { planId });
  await plans.givenPermits(undefined, planId);
}

describe.each(MARK_CASES)("a mark: $mark", ({ halts, write }) => {
  it(`issue: ${halts ?? "granted"}`, async () => {
    await write(redis, MARKED.killSwitchSeen);
    const answer = await issue(await publish());
    expect(answer).toEqual(halts === undefined ? { kind: "granted" } : { kind: "denied", reason: halts });
    const written = await redis.exists(keys.permit("governor", PLAN), reservations.open);
    expect(written).toBe(halts === undefined ? 2 : 0);
  });

  it(`consume: ${halts ?? "ok"}`, async () => {
    await write(plans.redis, MARKED.killSwitchSeen);
    await givenPermits();
    expect(await consume()).toBe(halts ?? "ok");
    const isSpent = halts === undefined ? 1 : 0;
    expect(await plans.redis.exists(keys.spent(PLAN))).toBe(isSpent);
    expect(await plans.executes()).toHaveLength(isSpent);
  });

  it("means nothing in the wire's layout, where the kill switch is read itself", async () => {
    await write(redis, MARKED.killSwitchSeen);
    expect(await issue(await publish(), keys)).toEqual({ kind: "granted" });
    await write(plans.redis, MARKED.killSwitchSeen);
    await givenPermits();
    expect(await consume(PLAN, keys)).toBe("ok");
  });
});

const RUNNING = MARK_CASES.find(({ mark }) => mark === "running");

it.each([
  ["running", "the kill switch", keys.killSwitch, "kill_switch_active"],
  ["running", "a disarm", keys.disarm, "disarmed"],
  ["no", "the kill switch", keys.killSwitch, "kill_switch_active"],
  ["no", "a disarm", keys.disarm, "kill_switch_unread"],
])("a %s mark beside %s of the partition", async (mark, _, key, reason) => {
  for (const client of [redis, plans.redis]) {
    if (mark === "running") await RUNNING?.write(client, MARKED.killSwitchSeen);
    await client.set(key, "1");
  }
  expect(await issue(await publish())).toEqual({ kind: "denied", reason });
  await givenPermits();
  expect(await consume()).toBe(reason);
});

it("is read also where more is looked for: what the issuer has booked, a permit that lacks", async () => {
  await redis.set(keys.booked("governor", PLAN), "released 1");
  expect(await issue(await publish())).toEqual({ kind: "denied", reason: "kill_switch_unread" });
  await plans.givenPlan(FAR_MS);
  expect(await consume()).toBe("kill_switch_unread");
});

it("halts every plan of one step", async () => {
  const ids = ["00000000000000a1", "00000000000000a2", "00000000000000a3"];
  for (const id of ids) await givenPermits(id);
  const calls = ids.map((id) => plans.consumer({ keys: MARKED })(id, SYMBOL));
  const reasons = (await Promise.all(calls)).map(
    (consumed) =>
      consumed.kind === "verdict" && consumed.verdict.kind === "blocked" && consumed.verdict.reason,
  );
  expect(reasons).toEqual(ids.map(() => "kill_switch_unread"));
});
