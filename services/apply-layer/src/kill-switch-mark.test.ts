/** The mark of the wire's kill switch in a partition, as `open` reads it. */
import { MARK_CASES, MARKED } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Decided } from "./decide.ts";
import { keys, PLAN, proposalFrom, startScriptRig } from "./script-rig.fixture.ts";

let rig: Awaited<ReturnType<typeof startScriptRig>>;
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

const EXECUTE: Decided = {
  decision: "EXECUTE",
  reason: "",
  close: { step: "CLOSE_PARTIAL_75", pct: 75 },
};

describe.each(MARK_CASES)("a mark: $mark", ({ halts, write }) => {
  it(`open: ${halts ?? "opened"}`, async () => {
    await write(rig.redis, MARKED.killSwitchSeen);
    const opened = await rig.opener({ keys: MARKED })(proposalFrom(), EXECUTE);
    expect(opened).toMatchObject(
      halts === undefined ? { kind: "opened" } : { kind: "ended", decision: "BLOCKED", reason: halts },
    );
    expect(await rig.redis.hget(keys.plan(PLAN), "state")).toBe(halts === undefined ? "WAITING" : "BLOCKED");
  });

  it("means nothing in the wire's layout, where the kill switch is read itself", async () => {
    await write(rig.redis, MARKED.killSwitchSeen);
    expect(await rig.opener()(proposalFrom(), EXECUTE)).toMatchObject({ kind: "opened" });
  });
});

it("blocks what would be skipped as well, like the kill switch and unlike a disarm", async () => {
  const skipped: Decided = { decision: "SKIP", reason: "action_hold" };
  const open = rig.opener({ keys: MARKED });
  expect(await open(proposalFrom(), skipped)).toMatchObject({
    decision: "BLOCKED",
    reason: "kill_switch_unread",
  });
  await rig.redis.flushall();
  await MARK_CASES[0]?.write(rig.redis, MARKED.killSwitchSeen);
  await rig.redis.set(keys.disarm, "1");
  expect(await open(proposalFrom(), skipped)).toMatchObject({ decision: "SKIP", reason: "action_hold" });
});
