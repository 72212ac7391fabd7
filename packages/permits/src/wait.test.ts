import { once } from "node:events";
import { DeadlineError } from "@quantum/redis";
import { patienceMs } from "@quantum/harness";
import { describe, expect, it, vi } from "vitest";
import type { Consume } from "./consume.ts";
import { FAR_MS, PLAN, SYMBOL } from "./plan.fixture.ts";
import { createWait, plans, STEP_MS, verdictOf, verdictsOf, waiting, wakeUp } from "./wait.fixture.ts";

/** How late a timer may be on a busy machine. */
const BUSY_MS = 500;

describe("a plan that waits", () => {
  it("ends when a wake-up says that the last permit is there", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.wake(PLAN, SYMBOL);
    expect(wait.size).toBe(1);
    await plans.givenPermits();
    const verdict = verdictOf(wait);
    await wait.wake(PLAN, SYMBOL);
    expect(await verdict).toMatchObject({ kind: "ok", planId: PLAN });
    expect(wait.size).toBe(0);
  });

  it("is tried at its deadline, and ends there with one verdict", async () => {
    const consume = vi.fn<Consume>(plans.consumer());
    const wait = createWait({ consume });
    const { verdicts } = verdictsOf([wait], 2);
    await plans.givenPlan(60);
    wait.watch(PLAN, SYMBOL, 60);
    wait.watch(PLAN, SYMBOL, FAR_MS); // Watching again moves nothing.
    expect(await verdictOf(wait)).toMatchObject({ kind: "blocked", reason: "missing_both" });
    expect(verdicts[0]?.waitMs).toBeGreaterThanOrEqual(60);
    expect(verdicts[0]?.waitMs).toBeLessThan(60 + patienceMs(BUSY_MS));
    await wait.stop();
    expect(verdicts).toHaveLength(1);
    const kinds = consume.mock.settledResults.map(({ value }) => value.kind);
    // One try is half-way. A timer may fire a millisecond early; then Redis's clock makes the plan wait again.
    expect(kinds.filter((kind) => kind === "verdict")).toHaveLength(1);
    expect(kinds.length).toBeLessThanOrEqual(3);
  });

  it("is over by the monotonic clock, too: a step of Redis's clock does not lengthen it", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    const verdict = verdictOf(wait);
    const startedAt = performance.now();
    // The plan was opened 100 ms ago, and then Redis's clock stepped back, so by that clock the deadline is far away.
    wait.watch(PLAN, SYMBOL, 100);
    expect(await verdict).toMatchObject({ kind: "blocked", reason: "missing_both" });
    expect(performance.now() - startedAt).toBeLessThan(100 + patienceMs(BUSY_MS));
  });

  it("is forgotten half-way without a try, when another replica has ended it", async () => {
    const consume = vi.fn<Consume>(plans.consumer());
    const [wait, other] = [createWait({ consume }), createWait()];
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const verdict = verdictOf(other);
    await other.wake(PLAN, SYMBOL);
    expect(await verdict).toMatchObject({ kind: "ok" });
    // So long that its deadline, at which it would be tried, does not come in the same turn.
    wait.watch(PLAN, SYMBOL, 1_000);
    await vi.waitFor(() => expect(wait.size).toBe(0));
    expect(consume).not.toHaveBeenCalled();
  });

  it("is watched from its first wake-up, when another replica opened it", async () => {
    const wait = createWait();
    await plans.givenPlan(30);
    const verdict = verdictOf(wait);
    await wait.wake(PLAN, SYMBOL);
    expect(await verdict).toMatchObject({ reason: "missing_both" });
  });
});

describe("an issuer's wake-up", () => {
  it("leads to no try while others have still to answer, if all of them have woken us lately", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 1));
    await wait.answered(wakeUp("p33", 2));
    // P3.3 had never sent a wake-up, so it might have set a key without one.
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("p33", 1));
    await wait.answered(wakeUp("somebody else", 1));
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("governor", 2));
    expect(consume).toHaveBeenCalledTimes(3);
  });

  it("leads to a try of a plan that another replica opened once all have answered, and not before", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    for (const issuer of ["governor", "p33"])
      await wait.answered({ ...wakeUp(issuer, 2), plan_id: "0123456789abcdef" });
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("governor", 1));
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("p33", 2));
    expect(consume).toHaveBeenLastCalledWith(PLAN, SYMBOL, undefined);
    // As it must wait, it is watched here, too.
    expect(wait.size).toBe(2);
  });

  it("may be lost: the plan is tried half-way", async () => {
    const wait = createWait();
    for (const issuer of ["governor", "p33"]) await wait.answered(wakeUp(issuer, 2));
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    wait.watch(PLAN, SYMBOL, 1_000);
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
  });

  it("leads to a try if it denies, or nobody counts", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    for (const issuer of ["governor", "p33"]) await wait.answered(wakeUp(issuer, 2));
    await wait.answered(wakeUp("governor", 1, "denied"));
    await wait.answered(wakeUp("governor", ""));
    expect(consume).toHaveBeenCalledTimes(4);
  });

  it("leads to a try again when an issuer has woken nobody for long", async () => {
    const now = vi.spyOn(performance, "now");
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    const at = (ms: number) => now.mockReturnValue(ms);
    at(0);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 2));
    at(9_000);
    await wait.answered(wakeUp("p33", 2));
    await wait.answered(wakeUp("p33", 1));
    expect(consume).toHaveBeenCalledTimes(2);
    at(11_000);
    await wait.answered(wakeUp("p33", 1));
    expect(consume).toHaveBeenCalledTimes(3);
    now.mockRestore();
  });
});

describe("a try that fails", () => {
  it("is said and repeated until Redis answers again", async () => {
    const working = plans.consumer();
    let broken = true;
    const consume: Consume = async (...plan) => {
      if (broken) throw new DeadlineError("no answer");
      return working(...plan);
    };
    const wait = createWait({ consume });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const failed = once(wait, "failed");
    void wait.wake(PLAN, SYMBOL);
    expect(await failed).toMatchObject([{ planId: PLAN, error: { message: "no answer" } }]);
    const failedAgain = once(wait, "failed");
    await failedAgain;
    broken = false;
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
  });

  it("loses no plan when the server is killed and comes back empty", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await plans.server.kill();
    const failed = once(wait, "failed");
    void wait.wake(PLAN, SYMBOL);
    await failed;
    await plans.server.restart();
    await vi.waitFor(() => expect(wait.size).toBe(0), { timeout: 10_000 });
  });
});

describe("drain", () => {
  it("ends a plan whose last permit comes meanwhile, without a wake-up", async () => {
    const looked = Promise.withResolvers<void>();
    const working = plans.consumer();
    const wait = createWait({
      consume: async (...plan) => {
        const found = await working(...plan);
        looked.resolve();
        return found;
      },
    });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const { verdicts } = verdictsOf([wait], 1);
    const drained = wait.drain(FAR_MS);
    await looked.promise;
    await plans.givenPermits();
    await drained;
    expect(verdicts).toMatchObject([{ kind: "ok" }]);
  });

  it("leaves what waits for longer to others", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.drain(1);
    expect(wait.size).toBe(1);
  });
});
