/** What the journal says of an order that was sent, so that it can be queried. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Journal } from "./journal.ts";
import type { Sent } from "./journal-lines.ts";

const NOW_MS = 1_769_301_008_977;
const HOUR_MS = 3_600_000;

let folder: string;
let nowMs: number;
let damage: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-journal-"));
  nowMs = NOW_MS;
  damage = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const sent = (no: number, atMs = nowMs) => ({
  planId: no.toString(16).padStart(16, "0"),
  attempt: `${NOW_MS}-${no}`,
  clientOrderId: `qp-${no.toString(16).padStart(16, "0")}-1`,
  atMs,
});

/** The journal of the only partition. */
async function open() {
  const onDamage = (problem: string) => damage.push(problem);
  const journal = await Journal.open({ folder, partitions: 1, redisNowMs: () => nowMs, onDamage });
  onTestFinished(() => journal.close());
  return Object.assign(journal.of(0), { close: () => journal.close() });
}
/** As the next start reads it. */
async function again(journal: Awaited<ReturnType<typeof open>>) {
  await journal.close();
  return open();
}

/** What an order may be. */
const anyOrder = fc.record({
  symbol: fc.constantFrom("BTCUSDT", "币安人生USDT", "1000BONKUSDT_261225"),
  step: fc.constantFrom("CLOSE_PARTIAL_75", "CLOSE & more = 100 %"),
  side: fc.constantFrom("BUY" as const, "SELL" as const),
  quantity: fc.constantFrom("0.010", "1000"),
  positionAmt: fc.constantFrom("", "-1.5", "0.010"),
  venueMs: fc.integer({ min: 1, max: NOW_MS }),
  windowMs: fc.integer({ min: 0, max: 60_000 }),
  cappedByVenue: fc.constantFrom("0" as const, "1" as const),
  class: fc.constantFrom("" as const, "operator" as const),
});
const [order] = fc.sample(anyOrder, 1) as [Required<Sent>["order"]];

describe("what an order is queried by", () => {
  it("is read again as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOrder, { maxLength: 20 }), async (orders) => {
        await rm(folder, { recursive: true });
        const journal = await open();
        const all = orders.map((one, no) => ({ ...sent(no), order: one }));
        await Promise.all(all.map((one) => journal.record(one)));
        expect(journal.latest()).toEqual(all);
        const next = await again(journal);
        expect(next.latest()).toEqual(all);
        // The start has written the file again.
        expect((await again(next)).latest()).toEqual(all);
        expect(damage).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it("is not known of lines of earlier versions, which are no damage", async () => {
    const journal = await open();
    await journal.record(sent(1));
    await journal.record({ ...sent(2), order });
    const next = await again(journal);
    expect(next.latest()).toEqual([{ ...sent(2), order }]);
    expect([next.has(sent(1).planId), next.has(sent(2).planId)]).toEqual([true, true]);
    expect(damage).toEqual([]);
  });

  it("is told of the last ten minutes of orders, however long ago they were", async () => {
    const journal = await open();
    const times = [0, 1, 600_001].map((ms) => NOW_MS + ms);
    for (const [no, atMs] of times.entries()) await journal.record({ ...sent(no, atMs), order });
    nowMs += 5 * HOUR_MS;
    expect(journal.latest().map(({ atMs }) => atMs)).toEqual(times.slice(1));
  });

  it("is damage where it cannot be read, with a checksum that is right", async () => {
    const journal = await open();
    await journal.record({ ...sent(1), order: { ...order, quantity: "much" } });
    const next = await again(journal);
    expect(damage).toEqual([expect.stringContaining("line 3 says something unknown of its order: ")]);
    expect([next.latest(), next.has(sent(1).planId)]).toEqual([[], true]);
  });
});
