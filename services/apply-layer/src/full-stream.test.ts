/** If a stream's ids are exhausted, it accepts no entry. Then the plan is not opened, and the next try opens it. */
import { useUpIds } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
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
const SKIP: Decided = { ...EXECUTE, decision: "SKIP", reason: "not_in_allowlist" };
const { plan, result } = keys.streams;

it.each([
  { decided: EXECUTE, stream: plan, opened: "opened" },
  { decided: SKIP, stream: plan, opened: "ended" },
  { decided: SKIP, stream: result, opened: "ended" },
])("a plan to $decided.decision leaves no mark when $stream takes no entry", async (at) => {
  const { redis } = rig;
  const open = rig.opener();
  await useUpIds(redis, at.stream);
  for (let tries = 0; tries < 2; tries += 1) {
    await expect(open(proposalFrom(), at.decided)).rejects.toThrow(
      "stream has exhausted the last possible ID",
    );
  }
  expect(await redis.exists(keys.plan(PLAN), keys.dedupe(PLAN), keys.published(PLAN))).toBe(0);

  await redis.del(at.stream);
  expect(await open(proposalFrom(), at.decided)).toMatchObject({ kind: at.opened });
  expect(await redis.xlen(at.stream)).toBe(1);
});
