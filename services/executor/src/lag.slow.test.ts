/** A deployment's times: the venue lags by 45 s, and an order counts as not placed after 60 s of denial. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, startRig } from "./rig.fixture.ts";

const LAG_MS = 45_000;
const ABSENCE_MS = 60_000;
/** The absence plus the send window and the longest pause. */
const TIMEOUT_MS = 120_000;

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;
beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor({ absenceMs: ABSENCE_MS, recvWindowMs: 5_000, timeoutMs: 4_000 });
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

it.concurrent(
  "an order that is denied for 45 s of 60 is EXECUTED",
  async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "lag", ms: LAG_MS, symbol });
    const entry = await rig.spend({ symbol });
    const ended = executor.ended(entry);
    const entryId = await rig.publish(entry);
    await ended;
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
    expect(await rig.ordersOf(entry)).toHaveLength(1);
  },
  TIMEOUT_MS,
);

it.concurrent(
  "an order that never came to be blocks its symbol for 60 s, and not much longer",
  async () => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "503_before", symbol });
    const entry = await rig.spend({ symbol });
    const ended = executor.ended(entry);
    const entryId = await rig.publish(entry);
    await ended;
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
    const { claimed_at_ms: claimed, settled_at_ms: settled } = await rig.redis.hgetall(
      rig.keys.order(entry.plan_id),
    );
    const tookMs = Number(settled) - Number(claimed);
    expect(tookMs).toBeGreaterThan(ABSENCE_MS);
    expect(tookMs).toBeLessThan(TIMEOUT_MS);
  },
  TIMEOUT_MS,
);
