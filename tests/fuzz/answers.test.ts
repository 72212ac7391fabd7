/**
 * Damaged answers of the exchange, met by the executor and P3.3 as real processes while plans run. Whatever is answered,
 * a plan has one order at most; once the answers are whole again, every plan ends, and its result says what the exchange
 * did, unless what was said of the very order could be read and was false.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "@quantum/harness";
import { SYMBOLS } from "@quantum/harness/rig";
import { type FuzzRig, startFuzzRig } from "./rig.ts";
import { orderName, startDamagingVenue } from "./damaging-venue.ts";
import { applyDamage, byteDamage } from "./mutations.ts";
import { nextProposal, planIdOf } from "./inputs.ts";
import { batchesOf, SEED, TIMEOUT_MS } from "./settings.ts";

/** About as many answers as one plan asks for. */
const ANSWERS_A_PLAN = 4;
const SETTLED_MS = 15_000;

let fuzzRig: FuzzRig;
let venue: Awaited<ReturnType<typeof startDamagingVenue>>;
beforeAll(async () => {
  fuzzRig = await startFuzzRig({ "apply-layer": {}, governor: { GOV_ENABLE_AUTO_DISARM: "false" } });
  venue = await startDamagingVenue(fuzzRig.venueUrl);
  const through = { BINANCE_BASE_URL: venue.url };
  await fuzzRig.add("position-brain", { ...through, P33_POLL_SEC: "0.5" });
  await fuzzRig.add("executor", {
    ...through,
    EXECUTOR_RECV_WINDOW_MS: "600",
    EXECUTOR_TIMEOUT_MS: "500",
    EXECUTOR_ABSENCE_SEC: "3",
  });
});
afterAll(async () => {
  await venue.close();
  await fuzzRig.stop();
});

describe(`damaged answers of the exchange (seed ${SEED})`, () => {
  it("never lead to a second order, and every plan ends", { timeout: 2 * TIMEOUT_MS }, async () => {
    const { keys } = fuzzRig;
    const fates = new Set<string>();
    for (const batch of batchesOf(fc.option(byteDamage, { freq: 2 }))) {
      venue.damage(batch.map((edits) => edits ?? undefined));
      const plans = Math.ceil(batch.length / ANSWERS_A_PLAN);
      const proposals = Array.from({ length: plans }, (_, index) =>
        nextProposal(SYMBOLS[index % SYMBOLS.length] ?? ""),
      );
      await fuzzRig.feed(
        keys.streams.proposal,
        proposals.map((fields) => applyDamage([], fields)),
      );
      const ids = proposals.map(planIdOf);
      await fuzzRig.opened(ids);
      await fuzzRig.noneWaiting();
      venue.damage([]);
      // An order that is handed over and not yet claimed is not among the unsettled ones.
      const claimed = async () => {
        const states = await Promise.all(ids.map((id) => fuzzRig.client.hget(keys.plan(id), "state")));
        return states.includes("PERMITTED") ? undefined : true;
      };
      await eventually(claimed, SETTLED_MS, "every order is claimed");
      await fuzzRig.settled(SETTLED_MS);
      const books = await fuzzRig.books();
      const { orders } = await fuzzRig.simState();
      const known = new Map(orders.map((order) => [order.clientOrderId, order]));
      const troubles = await Promise.all(
        ids.map(async (id) => {
          const [result] = books.results.get(id) ?? [];
          fates.add(result?.outcome ?? "");
          const order = known.get(`qp-${id}-1`);
          // Events write 7.9 where queries write 7.90.
          const agrees = Number(result?.executed_qty ?? "") === Number(order?.executedQty ?? "");
          const { misreported } = venue;
          const mayDiffer =
            misreported.has(`qp-${id}-1`) ||
            (order && misreported.has(orderName(order.symbol, order.orderId)));
          return (
            (await fuzzRig.planTrouble(id, books)) ??
            (agrees || mayDiffer
              ? undefined
              : `${id}: ${order?.executedQty} executed, ${JSON.stringify(result)}`)
          );
        }),
      );
      expect(await fuzzRig.troubles(troubles)).toEqual([]);
    }
    expect([...fates]).toEqual(expect.arrayContaining(["EXECUTED"]));
    expect(venue.count()).toBeGreaterThan(0);
    // The feed of answers is whole again: both services are ready.
    await eventually(async () => ((await fuzzRig.ready()) ? true : undefined), SETTLED_MS, "all are ready");
  });
});
