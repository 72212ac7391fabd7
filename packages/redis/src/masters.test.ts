import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Claim, claimOfSentinel, claimsOfNode, masterOf } from "./masters.ts";

const SLOTS = 16_384;
const slot = fc.integer({ min: 0, max: SLOTS - 1 });
const claim: fc.Arbitrary<Claim> = fc
  .record({ ends: fc.tuple(slot, slot), port: fc.integer({ min: 1, max: 9 }), epoch: fc.nat(5) })
  .map(({ ends: [a, b], port, epoch }) => ({
    from: Math.min(a, b),
    to: Math.max(a, b),
    address: { host: "h", port },
    epoch,
  }));

describe("the master of a slot", () => {
  it("has a claim on it, and nobody has a newer one", () => {
    fc.assert(
      fc.property(fc.array(claim, { maxLength: 8 }), slot, (claims, asked) => {
        const onSlot = claims.filter(({ from, to }) => from <= asked && asked <= to);
        const found = masterOf(claims, asked);
        expect(onSlot.length === 0 ? [undefined] : onSlot).toContain(found);
        expect(Math.max(-1, ...onSlot.map(({ epoch }) => epoch))).toBe(found?.epoch ?? -1);
      }),
    );
  });

  it("does not depend on the order of the answers, if each epoch has one master", () => {
    fc.assert(
      fc.property(
        fc.array(claim, { maxLength: 8 }),
        slot,
        fc.infiniteStream(fc.nat()),
        (claims, asked, random) => {
          const fair = claims.map((one) => ({ ...one, address: { host: "h", port: one.epoch } }));
          const shuffled = fair.toSorted(() => ((random.next().value ?? 0) % 3) - 1);
          expect(masterOf(shuffled, asked)?.address).toEqual(masterOf(fair, asked)?.address);
        },
      ),
    );
  });
});

it("a Sentinel's master has every slot", () => {
  const fields = ["name", "quantum", "ip", "10.0.0.1", "port", "6379", "config-epoch", "7", "quorum", "2"];
  const found = claimOfSentinel(fields, ["10.0.0.2", "6380"]);
  expect(found).toEqual({ from: 0, to: SLOTS - 1, address: { host: "10.0.0.2", port: 6380 }, epoch: 7 });
});

describe("a node of a cluster", () => {
  const A = "a".repeat(40);
  const B = "b".repeat(40);
  const nodes = [
    `${A} :7000@17000 myself,master - 0 0 3 connected 0-5460 [5461->-${B}]`,
    `${B} 10.0.0.2:7001@17001,node-b master - 0 1700000000000 12 connected 5461-16383`,
    "",
  ].join("\n");
  const asked = { host: "seed", port: 7000 };

  it.each(["", null])("that does not know its own host (%j) is where it was asked", (host) => {
    expect(
      claimsOfNode(
        [
          [0, 5460, [host, 7000, A]],
          [5461, 16_383, ["10.0.0.2", 7001, B, ["hostname", "node-b"]]],
        ],
        nodes,
        asked,
      ),
    ).toEqual([
      { from: 0, to: 5460, address: { host: "seed", port: 7000 }, epoch: 3 },
      { from: 5461, to: 16_383, address: { host: "10.0.0.2", port: 7001 }, epoch: 12 },
    ]);
  });

  it("that knows of no slot makes no claim", () => {
    expect(claimsOfNode([], nodes, asked)).toEqual([]);
  });
});
