import { parseProposal, planId } from "@quantum/contract";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGenerator } from "./generate.ts";
import type { FeedProposal } from "./proposals.ts";
import { parseSnapshot, type FeedSnapshot } from "./snapshot.ts";

const NOW_MS = Date.UTC(2026, 0, 22, 23, 20, 48, 373);
const SYMBOL = "BTCUSDT";

const price = fc.double({ min: 0.0001, max: 200_000, noNaN: true });
const snapshot: fc.Arbitrary<FeedSnapshot> = fc.record({
  version: fc.constant("1"),
  position: fc.record({
    side: fc.constantFrom("LONG" as const, "SHORT" as const),
    entryPrice: price,
    markPrice: price,
  }),
});

function generate(seed: number, snapshots: readonly FeedSnapshot[]): FeedProposal[] {
  const generator = createGenerator({ symbols: [SYMBOL], seed, now: () => NOW_MS });
  return snapshots.flatMap((from) => generator.next(SYMBOL, from) ?? []);
}

describe("generated proposals", () => {
  it("are the same for the same seed, and others for another", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(snapshot, { minLength: 1 }), (seed, snapshots) => {
        expect(generate(seed, snapshots)).toEqual(generate(seed, snapshots));
        expect(generate(seed, snapshots)).not.toEqual(generate(seed + 1, snapshots));
      }),
    );
  });

  it("are valid, propose a close, say that they are simulated, and are a plan each", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(snapshot, { minLength: 1 }), (seed, snapshots) => {
        const proposals = generate(seed, snapshots);
        expect(new Set(proposals.map((proposal) => proposal.planId)).size).toBe(snapshots.length);
        for (const { fields, planId: announced } of proposals) {
          const parsed = parseProposal(SYMBOL, fields);
          if (!parsed.ok) throw new Error(parsed.problems.join());
          expect(planId(parsed.proposal)).toBe(announced);
          expect(parsed.proposal.harvestAction).toMatch(/^(PARTIAL_(25|50|75)|FULL_CLOSE_PROPOSED)$/);
          expect(parsed.proposal.killScore).toBeGreaterThanOrEqual(0.5);
          expect(parsed.proposal.killScore).toBeLessThanOrEqual(1);
          expect(parsed.proposal.computedAtMs).toBeGreaterThanOrEqual(NOW_MS);
          expect(parsed.proposal.lastUpdateEpochSec).toBe(Math.floor(NOW_MS / 1000));
          expect(parsed.proposal.source).toContain("simulated");
        }
      }),
    );
  });

  it("get strictly later times, in microseconds, though the clock stands", () => {
    const from: FeedSnapshot = { version: "1", position: { side: "LONG", entryPrice: 100, markPrice: 105 } };
    const times = generate(1, Array<FeedSnapshot>(50).fill(from)).map(
      ({ fields }) => fields["computed_at_utc"] ?? "",
    );
    expect(times[0]).toMatch(/^2026-01-22T23:20:48\.373\d{3}$/);
    expect(times).toEqual([...new Set(times)].toSorted());
  });

  it("cover all tranches and full closes for a position in profit, and only full closes for one without", () => {
    const actions = (markPrice: number) =>
      new Set(
        generate(
          1,
          Array<FeedSnapshot>(200).fill({
            version: "1",
            position: { side: "SHORT", entryPrice: 100, markPrice },
          }),
        ).map(({ action }) => action),
      );
    expect(actions(99)).toEqual(new Set(["PARTIAL_25", "PARTIAL_50", "PARTIAL_75", "FULL_CLOSE_PROPOSED"]));
    expect(actions(100)).toEqual(new Set(["FULL_CLOSE_PROPOSED"]));
    expect(actions(103)).toEqual(new Set(["FULL_CLOSE_PROPOSED"]));
  });
});

describe("a snapshot", () => {
  const fields = {
    position_amt: "-1.850",
    side: "SHORT",
    entry_price: "3402.15",
    mark_price: "3310.0",
    ts_epoch: "9",
  };

  it("has the position, and the version or else the time of the refresh", () => {
    const position = { side: "SHORT", entryPrice: 3402.15, markPrice: 3310 };
    expect(parseSnapshot({ ...fields, version: "7" })).toEqual({ version: "7", position });
    expect(parseSnapshot(fields)).toEqual({ version: "9", position });
  });

  it.each([
    {},
    { ...fields, position_amt: "0" },
    { ...fields, position_amt: "?" },
    { ...fields, mark_price: "nan" },
  ])("without an open, readable position has none: %o", (unusable) => {
    expect(parseSnapshot(unusable).position).toBeUndefined();
  });
});
