import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { locate } from "./key-place.ts";
import { createIntakeKeys, createKeys } from "./keys.ts";
import { partitionOf, PARTITIONS_MAX, slotOf } from "./partition.ts";

describe("a key's slot", () => {
  // The first is the cluster specification's own; the others are Python's binascii.crc_hqx modulo 16384.
  it.each([
    ["123456789", 0x31_c3],
    ["", 0],
    ["foo{hash_tag}", 2515],
    ["foo{}{hash_tag}", 10_378],
    ["quantum:apply:{q3}:plan:00aa", 15_704],
  ])("of %j is %i", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  it("is of what the first braces enclose, unless that is nothing", () => {
    expect(slotOf("a{q3}b{q4}")).toBe(slotOf("q3"));
    expect(slotOf("a{{q3}}")).toBe(slotOf("{q3"));
    expect(slotOf("a{}{q3}")).not.toBe(slotOf("q3"));
    expect(slotOf("a{q3")).not.toBe(slotOf("q3"));
  });
});

describe("a symbol's partition", () => {
  it("is one of the partitions, and the only one where there is one", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: PARTITIONS_MAX }), (symbol, partitions) => {
        const partition = partitionOf(symbol, partitions);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
        expect(partitionOf(symbol, 1)).toBe(0);
      }),
    );
  });

  it("is found from the bytes of its UTF-8", () => {
    // Of Python's binascii.crc_hqx(symbol.encode(), 0).
    const crcs = { BTCUSDT: 0x21_19, ETHUSDT: 0xd4_a2, SOLUSDT: 0x12_dc, 币安人生USDT: 0xd0_16 };
    for (const [symbol, crc] of Object.entries(crcs)) {
      expect([2, 6, 64].map((partitions) => partitionOf(symbol, partitions))).toEqual(
        [2, 6, 64].map((partitions) => crc % partitions),
      );
    }
  });
});

describe("the keys of a partition", () => {
  it("have its tag behind their family, where operators' patterns still match", () => {
    const keys = createKeys({ partition: 3 });
    expect(keys.plan("00aa")).toBe("quantum:apply:{q3}:plan:00aa");
    expect(keys.streams.plan).toBe("quantum:stream:{q3}:apply.plan");
    expect(keys.permit("governor", "00aa")).toBe("quantum:permit:{q3}:00aa");
    expect(keys.permit("p33", "00aa")).toBe("quantum:permit:{q3}:p33:00aa");
    expect(keys.block("governor", "00aa")).toBe("quantum:governor:{q3}:block:00aa");
    expect(keys.reservations("p26", "BTCUSDT").totals).toBe("quantum:p26:{q3}:totals:BTCUSDT");
    expect(keys.killSwitch).toBe("quantum:global:{q3}:kill_switch");
    expect(keys.exit).toBe("quantum:exit:{q3}");
  });

  it("tell their partition, and their name on the wire", () => {
    const names = ["plan", "waiting", "order", "snapshot"] as const;
    const wire = createKeys();
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: PARTITIONS_MAX - 1 }),
        fc.constantFrom(...names),
        fc.string({ unit: fc.constantFrom("A", "1", "_", "币") }),
        (partition, name, of) => {
          const key = createKeys({ partition })[name](of);
          expect(locate(key)).toEqual({ where: partition, wireName: wire[name](of) });
          expect(locate(wire[name](of))).toEqual({ where: undefined, wireName: wire[name](of) });
        },
      ),
    );
    const { deadLetter } = wire.streams;
    expect(locate(createIntakeKeys(2).streams.deadLetter)).toEqual({ where: "intake", wireName: deadLetter });
  });

  it("leave what the publishers write where the wire has it", () => {
    const [wire, tagged] = [createKeys(), createKeys({ partition: 3 })];
    expect(tagged.streams.proposal).toBe(wire.streams.proposal);
    expect(tagged.proposal("BTCUSDT")).toBe(wire.proposal("BTCUSDT"));
  });
});

describe("the keys of the intake", () => {
  it("are in the slot of the proposals, which every partition's keys are not", () => {
    const { streams } = createIntakeKeys(3);
    expect(streams.deadLetter).toBe("quantum:stream:{quantum:stream:harvest.proposal}:dead_letter");
    expect(streams.operatorAudit).toBe("quantum:stream:{quantum:stream:harvest.proposal}:operator.audit");
    for (const key of [streams.deadLetter, streams.operatorAudit])
      expect(slotOf(key)).toBe(slotOf(streams.proposal));
    expect(streams.proposal).toBe(createKeys().streams.proposal);
  });

  it("are the wire's where there is one partition", () => {
    expect(createIntakeKeys(1).streams).toEqual(createKeys().streams);
  });
});
