/** An order's stages follow one another without a gap, from the handover to the result. */
import type { PassedStage } from "@quantum/service-kit";
import { addedAtMs } from "@quantum/streams";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;
const passed: PassedStage[] = [];
beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor();
  executor.events.on("passed", (stage) => passed.push(stage));
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

const stagesOf = ({ plan_id }: Spent) => passed.filter(({ planId }) => planId === plan_id);

it("times an executed order from the moment its permits were spent", async () => {
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  const ended = executor.next("settled", entry.plan_id);
  const entryId = await rig.publish(entry);
  await ended;
  await expect
    .poll(() => stagesOf(entry).map(({ stage }) => stage))
    .toEqual(["claimed", "sent", "answered", "settled"]);
  const stages = stagesOf(entry);
  expect(stages[0]).toMatchObject({ fromMs: addedAtMs(entryId), attempt: entry.attempt });
  expect(stages.slice(1).map(({ fromMs }) => fromMs)).toEqual(stages.slice(0, -1).map(({ toMs }) => toMs));
});

it("times no stage of an order that is refused", async () => {
  const entry = await rig.spend({ symbol: rig.freshSymbol(), safe_qty: "0.0001" });
  const ended = executor.next("refused", entry.plan_id);
  await rig.publish(entry);
  await ended;
  expect(stagesOf(entry)).toEqual([]);
});

it("times a doubtful order up to its answer", async () => {
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  await rig.fault({ kind: "503_after", symbol: entry.symbol });
  const doubted = executor.next("doubted", entry.plan_id);
  await rig.publish(entry);
  await doubted;
  expect(stagesOf(entry).map(({ stage }) => stage)).toEqual(["claimed", "sent", "answered"]);
});
