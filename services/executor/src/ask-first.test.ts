import { describe, expect, it } from "vitest";
import { mustAskFirst, type Sender } from "./ask-first.ts";

const PLAN = "67e6da21fa9fe506";
const ISSUED_MS = 1_769_301_009_000;

interface Told {
  has?: (planId: string) => boolean;
  sinceMs?: number;
  ownerSinceMs?: number | undefined;
}
/** By default, an executor that has sent everything. */
const sender = (told: Told = {}): Sender => {
  const { has, sinceMs, ownerSinceMs } = {
    has: () => false,
    sinceMs: ISSUED_MS - 1,
    ownerSinceMs: ISSUED_MS - 1,
    ...told,
  };
  return { journal: { has, sinceMs }, ownerSinceMs };
};

describe("a plan", () => {
  it("may be sent if it is not in the journal, and its permits are newer than journal and ownership", () => {
    expect(mustAskFirst({ planId: PLAN, issuedMs: ISSUED_MS }, sender())).toBe(false);
  });

  it.each<[string, Sender]>([
    ["it is in the journal", sender({ has: (planId) => planId === PLAN })],
    ["its permits are older than the journal", sender({ sinceMs: ISSUED_MS + 1 })],
    ["its permits are as old as the journal", sender({ sinceMs: ISSUED_MS })],
    ["another executor sends", sender({ sinceMs: Number.POSITIVE_INFINITY })],
    ["its permits are older than the takeover", sender({ ownerSinceMs: ISSUED_MS + 1 })],
    ["its permits are as old as the takeover", sender({ ownerSinceMs: ISSUED_MS })],
    ["this executor does not own the orders", sender({ ownerSinceMs: undefined })],
  ])("is only queried if %s", (_, told) => {
    expect(mustAskFirst({ planId: PLAN, issuedMs: ISSUED_MS }, told)).toBe(true);
  });
});
