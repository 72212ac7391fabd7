/** Who may do what does not depend on the layout. What Redis makes of the patterns is tested in tests/redis-users.test.ts. */
import { describe, expect, it } from "vitest";
import { accessOf, exampleOf, FAMILIES, REDIS_USERS } from "./access.ts";
import { createIntakeKeys, createKeys, type Keys } from "./keys.ts";
import { RIGHT_NAMES } from "./rights.ts";

const ISSUERS = ["governor", "p33", "p26"];
const PARTITIONS = 6;

/** A key of every pattern, in the same order for every layout. */
function examples(keys: Keys): string[] {
  return FAMILIES.flatMap(({ patterns }) =>
    [undefined, ...ISSUERS].flatMap((issuer) => patterns(issuer, keys).map(exampleOf)),
  );
}

/** For each right, which of the keys it is on. */
function reach(user: string, partitions: number, keys: readonly string[]): boolean[][] {
  const access = accessOf(user, partitions);
  return RIGHT_NAMES.map((right) => {
    const globs = (access.get(right) ?? []).map(
      (pattern) => new RegExp(`^${pattern.replaceAll(/[{}.]/g, String.raw`\$&`).replaceAll("*", ".*")}$`),
    );
    return keys.map((key) => globs.some((glob) => glob.test(key)));
  });
}

const WIRE_KILL_SWITCH = createKeys().killSwitch;
const { deadLetter, operatorAudit } = createIntakeKeys(PARTITIONS).streams;
const INTAKE = [deadLetter, operatorAudit];
const wire = examples(createKeys());
/** The mark of the kill switch is no key of the wire's. */
const seenIn = (partition: number | "*") => createKeys({ partition }).killSwitchSeen;
const tagged = (partition: number) =>
  // The wire's kill switch is in both layouts, and here for a second time.
  examples(createKeys({ partition })).filter((key) => key !== WIRE_KILL_SWITCH && key !== seenIn(partition));

describe.each(REDIS_USERS)("the rights of %s in partitions", (user) => {
  it.each([0, 63])("are those on the wire's keys, in partition %i", (partition) => {
    expect(reach(user, PARTITIONS, tagged(partition))).toEqual(reach(user, 1, wire));
  });

  it("are as many patterns, but for the wire's kill switch, its mark and the streams of the intake", () => {
    for (const [right, patterns] of accessOf(user, PARTITIONS)) {
      const added = [WIRE_KILL_SWITCH, seenIn("*"), ...INTAKE].filter((key) => patterns.includes(key)).length;
      expect(patterns).toHaveLength((accessOf(user).get(right)?.length ?? 0) + added);
    }
  });
});

it("the apply-layer alone writes the mark of the kill switch, and not the wire's kill switch itself", () => {
  const writers = (partitions: number, key: string) =>
    REDIS_USERS.filter((user) => reach(user, partitions, [key])[RIGHT_NAMES.indexOf("write")]?.[0]);
  expect(writers(PARTITIONS, seenIn(3))).toEqual(["apply-layer"]);
  for (const partitions of [1, PARTITIONS])
    expect(writers(partitions, WIRE_KILL_SWITCH)).toEqual(["operator"]);
});

const READ_EVERYTHING = new Set(["operator", "viewer", "exporter"]);

it.each(REDIS_USERS.filter((user) => !READ_EVERYTHING.has(user)))(
  "no right of %s in partitions is on keys of the wire that partitions have instead",
  (user) => {
    const { plan, order, spent, streams } = createKeys();
    const id = "00000000000000aa";
    const left = [plan(id), order(id), spent(id), streams.plan, streams.execute, streams.deadLetter];
    const reached = RIGHT_NAMES.filter((_, right) => reach(user, PARTITIONS, left)[right]?.includes(true));
    // Services see whether there are such streams.
    expect(reached.filter((right) => right !== "look")).toEqual([]);
    expect(reach(user, PARTITIONS, left.slice(0, 3)).flat()).not.toContain(true);
  },
);

it("only the apply-layer gives up proposals, and only operators take them up again", () => {
  const writers = REDIS_USERS.filter((user) =>
    [...accessOf(user, PARTITIONS)].some(
      ([right, patterns]) => right !== "look" && INTAKE.some((key) => patterns.includes(key)),
    ),
  );
  expect(writers).toEqual(["apply-layer", "operator"]);
  expect(accessOf("apply-layer", PARTITIONS).get("append")).toContain(deadLetter);
  expect(accessOf("apply-layer", PARTITIONS).get("append")).not.toContain(operatorAudit);
  expect([...accessOf("apply-layer")].flat(2).filter((pattern) => INTAKE.includes(pattern))).toEqual([]);
});
