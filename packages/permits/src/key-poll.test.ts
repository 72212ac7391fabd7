import { expect, describe, it, vi } from "vitest";
import type { Consume } from "./consume.ts";
import { FAR_MS, GOVERNOR, keys, P33, PLAN, SYMBOL } from "./plan.fixture.ts";
import {
  activeTimers,
  commandsServed,
  createWait,
  STEP_MS,
  plans,
  verdictOf,
  waiting,
  wakeUp,
} from "./wait.fixture.ts";

describe("a plan that waits", () => {
  it("is found by the poll when issuers only set keys", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const verdict = verdictOf(wait);
    await plans.givenPermits({ p33: P33 });
    await plans.givenPermits({ governor: GOVERNOR });
    expect(await verdict).toMatchObject({ kind: "ok" });
  });

  it("is found by the first poll, however young it is", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
    now.mockRestore();
  });

  it("is found by the poll when the governor only sets its block key", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const verdict = verdictOf(wait);
    await plans.redis.set(keys.block("governor", PLAN), JSON.stringify({ reason: "hourly_limit_exceeded" }));
    expect(await verdict).toMatchObject({
      reason: "governor_permit_denied",
      detail: "hourly_limit_exceeded",
    });
  });

  it("is polled without reading permits, and tried only when a key appears", async () => {
    const consume = vi.fn<Consume>(plans.consumer());
    const wait = createWait({ stepMs: STEP_MS, consume });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: GOVERNOR });
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await vi.waitFor(() => expect(consume).toHaveBeenCalled());
    const polled = (await commandsServed())["exists"] ?? 0;
    await vi.waitFor(async () =>
      expect((await commandsServed())["exists"]).toBeGreaterThanOrEqual(polled + 5),
    );
    expect(consume).toHaveBeenCalledTimes(1);
  });
});

describe("an issuer's wake-up", () => {
  it("makes polling for the issuer's keys needless, and only for its own", async () => {
    const wait = createWait({ stepMs: 1, consume: waiting });
    const polls = async () => (await commandsServed())["exists"] ?? 0;
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 1));
    await vi.waitFor(async () => expect(await polls()).toBeGreaterThan(0));
    await wait.answered(wakeUp("p33", 2));
    await vi.waitFor(async () => {
      const before = await polls();
      // While Redis answers these, far more than one poll would be due.
      for (let i = 0; i < 500; i++) await plans.redis.ping();
      expect(await polls()).toBe(before);
    });
  });
});

describe("nothing that waits", () => {
  it("costs no command and no timer", async () => {
    const timersBefore = activeTimers();
    const wait = createWait({ stepMs: 1 });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await verdictOf(wait);
    await vi.waitFor(async () => {
      const before = await commandsServed();
      // While Redis answers these, far more than one poll would be due.
      for (let i = 0; i < 500; i++) await plans.redis.ping();
      expect(await commandsServed()).toEqual(before);
    });
    expect(activeTimers()).toBeLessThanOrEqual(timersBefore);
  });
});
