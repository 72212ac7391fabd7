import fc from "fast-check";
import { expect, it } from "vitest";
import { saidOnce } from "./partition-sentences.ts";

it("says once what is so everywhere, and of whom it is where it is not", () => {
  expect(saidOnce([["no answer"], ["no answer"], ["no answer", "full"]])).toEqual([
    "no answer",
    "partition q2: full",
  ]);
  expect(saidOnce([["a"], [], ["a"]])).toEqual(["partitions q0, q2: a"]);
});

it("changes nothing where there is one partition", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), (sentences) => {
      expect(saidOnce([sentences])).toEqual(sentences);
    }),
  );
});

it("loses no sentence and no partition", () => {
  const sentence = fc.constantFrom("a", "b", "c");
  fc.assert(
    fc.property(fc.array(fc.array(sentence), { minLength: 2, maxLength: 6 }), (said) => {
      const all = saidOnce(said);
      expect(all).toHaveLength(new Set(said.flat()).size);
      for (const [number, own] of said.entries()) {
        for (const what of own) {
          const line = all.find((text) => text === what || text.endsWith(`: ${what}`)) ?? "";
          const named = /^partitions? ([q\d, ]+):/.exec(line)?.[1]?.split(", ");
          expect(named ?? [`q${number}`]).toContain(`q${number}`);
        }
      }
    }),
  );
});
