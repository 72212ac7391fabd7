/** When the exit counts as armed, and how that is said. */
import { describe, expect, it } from "vitest";
import { type ExitState, exitText, whyNotArmed } from "./state.ts";

const NOW = 1_795_700_000_000;
const DAY_MS = 86_400_000;
const ARMED: ExitState = { keys: 2, atMs: NOW - 30_000, drilledAtMs: NOW - 9 * DAY_MS, drilledBy: "alice" };

describe("the exit", () => {
  it("is armed with two keys that an executor has told of lately", () => {
    expect(whyNotArmed(ARMED, NOW)).toBeUndefined();
    expect(exitText(ARMED, NOW)).toBe("2 keys; last drill 9 d ago by alice");
  });

  it.each<[Partial<ExitState>, RegExp]>([
    [{ keys: 0, atMs: undefined }, /no executor has said/],
    [{ atMs: NOW - 91_000 }, /no executor is running/],
    [{ keys: 0 }, /no operator's key.*EXECUTOR_OPERATOR_KEYS_FILE/],
    [{ keys: 1 }, /one operator only.*permitctl keys new --operator/],
  ])("is not armed with %o", (state, why) => {
    expect(whyNotArmed({ ...ARMED, ...state }, NOW)).toMatch(why);
  });

  it("says that nobody has drilled", () => {
    expect(exitText({ ...ARMED, keys: 1, drilledAtMs: undefined, drilledBy: "" }, NOW)).toBe(
      "1 key; never drilled",
    );
  });
});
