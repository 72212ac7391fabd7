/** Orders that are settled by the venue's own stream, which loses, repeats, delays and reorders events. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const QUERY = "GET /fapi/v1/order";

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor({ stream: "live" });
});
afterEach(() => rig.clearStreamFaults());
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

async function settled(entry: Spent): Promise<string> {
  const settlement = executor.next("settled", entry.plan_id);
  const entryId = await rig.publish(entry);
  const { by } = await settlement;
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(await rig.ordersOf(entry)).toHaveLength(1);
  return by;
}

it("an order that is only acknowledged is settled by its event, without a query", async () => {
  const queries = await rig.requests(QUERY);
  for (let i = 0; i < 3; i += 1)
    expect(await settled(await rig.spend({ symbol: rig.freshSymbol() }))).toBe("event");
  expect(await rig.requests(QUERY)).toBe(queries);
});

it("so is one whose answer never comes", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "timeout_after", symbol });
  expect(await settled(await rig.spend({ symbol }))).toBe("event");
});

describe("a stream with a fault", () => {
  it.each([
    [{ kind: "drop" }, "query"],
    [{ kind: "double" }, "event"],
    [{ kind: "reorder", ms: 50 }, "event"],
    [{ kind: "late", ms: 2_000 }, "query"],
  ])("%j: one result, by %s (I3)", async (fault, by) => {
    const symbol = rig.freshSymbol();
    await rig.streamFault({ event: "ORDER_TRADE_UPDATE", symbol, count: 10, ...fault });
    expect(await settled(await rig.spend({ symbol }))).toBe(by);
  });

  it.each(["silent", "disconnect"])("%s: orders are queried", async (kind) => {
    await rig.streamFault({ kind, ms: 60_000 });
    expect(await settled(await rig.spend({ symbol: rig.freshSymbol() }))).toBe("query");
  });
});
