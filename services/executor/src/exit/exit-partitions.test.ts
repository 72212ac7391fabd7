/** Operators' plans where there are three partitions. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Exit, type ExitRig, startExitRig } from "./exit.fixture.ts";

const READ_POSITIONS = "GET /fapi/v3/positionRisk";

let rig: ExitRig;
let executor: Awaited<ReturnType<ExitRig["executor"]>>;
beforeAll(async () => {
  rig = await startExitRig({ partitions: 3 });
  executor = await rig.executorWithOperators();
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

/** Repeats the entry of an operator's plan in another partition. @returns why it is a dead letter there */
async function repeated(exit: Exit, partition: number): Promise<string> {
  const [entry] = await rig.redis.xrange(rig.keysOf(exit.symbol).streams.execute, exit.entryId, exit.entryId);
  const dead = new Promise<string>((resolve) =>
    executor.consumers[partition]?.once("deadLettered", ({ reason }) => resolve(reason)),
  );
  const there = executor.partitions.all[partition]?.keys.streams.execute ?? "";
  await rig.redis.xadd(there, "*", ...(entry?.[1] ?? []));
  return dead;
}

it("an exit closes its symbol in the symbol's partition, and is not begun again in another one", async () => {
  const exit = await rig.exit({ symbol: rig.freshSymbol(1) });
  const { record } = await rig.run(executor, exit, "EXECUTED", "");
  expect(record).toMatchObject({ exit_left: "0" });
  expect(await rig.ordersOf(exit)).toHaveLength(1);
  const asked = await rig.requests(READ_POSITIONS);
  expect(await repeated(exit, 2)).toBe(`${exit.symbol} belongs to another partition`);
  expect(await rig.requests(READ_POSITIONS)).toBe(asked);
  expect(await rig.ordersOf(exit)).toHaveLength(1);
});

it("a drill is recorded with the account's state, and read once, in whatever partition its entry is repeated", async () => {
  const drill = await rig.drill();
  await rig.run(executor, drill, "NOT_PLACED", "exit_drill");
  expect(await rig.redis.hgetall(rig.keys.exit)).toMatchObject({ drilled_by: "alice" });
  const asked = await rig.requests(READ_POSITIONS);
  expect(await repeated(drill, 2)).toBe("permits_not_spent");
  expect(await rig.requests(READ_POSITIONS)).toBe(asked);
});
