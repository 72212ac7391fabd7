/** Each service, killed at every step of one plan's path and started again: nothing is lost, nothing is doubled. */
import { describe, expect, it } from "vitest";
import { enumerateCrashPoints, type EnumerationOptions, type ServiceName } from "./crash-points.ts";

const TIMEOUT_MS = 120_000;
const SCRIPT = (name: string) => [`before EVALSHA ${name} #1`, `after EVALSHA ${name} #1`];
const READ = "after XREADGROUP GROUP #1";

/** What each enumeration must have killed at, so that one that hits nothing fails. */
const VICTIMS: [title: string, ServiceName, EnumerationOptions, mustHit: string[]][] = [
  ["the apply-layer", "apply-layer", {}, [READ, ...SCRIPT("plans/open"), ...SCRIPT("permits/consume")]],
  [
    "the governor",
    "governor",
    {},
    [READ, ...SCRIPT("permits/issue"), ...SCRIPT("permits/settle_reservation")],
  ],
  [
    "position-brain",
    "position-brain",
    {},
    [
      ...[READ, ...SCRIPT("permits/issue"), ...SCRIPT("ledger/store")],
      ...SCRIPT("permits/settle_reservation"),
    ],
  ],
  [
    "the executor",
    "executor",
    {},
    [
      ...[
        READ,
        "before SADD quantum:order:symbols #1",
        ...SCRIPT("orders/claim"),
        "before POST /fapi/v1/order #1",
      ],
      ...["after 200 POST /fapi/v1/order #1", ...SCRIPT("orders/settle")],
    ],
  ],
  [
    "the executor, whose order timed out although it was executed",
    "executor",
    { fault: "-1007", from: "before EVALSHA orders/doubt #1" },
    [...SCRIPT("orders/doubt"), ...SCRIPT("orders/settle")],
  ],
];

describe.concurrent("a kill at every step of", () => {
  it.for(VICTIMS)("%s", { timeout: TIMEOUT_MS }, async ([title, victim, options, mustHit], context) => {
    const { points, missed, troubles } = await enumerateCrashPoints(victim, options);
    console.log(`${title}, killed ${points.join(", ")}; not met again: ${missed.join(", ") || "none"}`);
    context.expect(troubles).toEqual([]);
    context.expect(points).toEqual(expect.arrayContaining(mustHit));
  });
});
