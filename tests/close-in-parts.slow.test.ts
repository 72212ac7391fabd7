/** What the exchange's limits for one order do to closes, in the whole pipeline. */
import { planId } from "@quantum/contract";
import { eventually } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { parseEntries } from "@quantum/streams";
import { afterAll, beforeAll, expect, it } from "vitest";

const SYMBOL = "ETHUSDT";
/** Short 1.850. An order is for 0.002 to 0.8; the notional minimum is 20 dollars. */
const MARKET = [
  {
    symbol: SYMBOL,
    price: "3310.00",
    positionAmt: "-1.850",
    entryPrice: "3402.15",
    stepSize: "0.001",
    minQty: "0.002",
    marketMaxQty: "0.8",
    minNotional: "20",
    tickSize: "0.01",
    leverage: "10",
  },
];
const PATIENCE_MS = 10_000;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig(MARKET);
  await sim("strategy", { enabled: false });
  await Promise.all([
    rig.start("apply-layer", {
      APPLY_POLL_SEC: "0.2",
      APPLY_ALLOWLIST: SYMBOL,
      APPLY_PERMIT_WAIT_MS: "10000",
    }),
    rig.start("governor"),
    rig.start("position-brain", { P33_POLL_SEC: "0.5", P33_COOLDOWN_SEC: "0" }),
    rig.start("executor"),
  ]);
});
afterAll(() => rig.stop());

async function sim(path: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${rig.venueUrl}/sim/${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Proposes to close all, and waits for the plan's result. */
async function close() {
  const { client, keys } = rig;
  const now = Date.now();
  const proposal = {
    harvest_action: "FULL_CLOSE_PROPOSED",
    kill_score: "0.5",
    new_sl_proposed: "None",
    R_net: "4.2",
    computed_at_utc: new Date(now).toISOString().replace("Z", "123"),
    last_update_epoch: String(now / 1_000),
  };
  await client.xadd(keys.streams.proposal, "*", "symbol", SYMBOL, ...Object.entries(proposal).flat());
  const id = planId({
    symbol: SYMBOL,
    harvestAction: proposal.harvest_action,
    killScore: 0.5,
    newSlProposed: undefined,
    computedAtUtc: proposal.computed_at_utc,
  });
  const ended = async () => {
    const entries = parseEntries(await client.xrange(keys.streams.result, "-", "+"));
    return entries.map(({ fields }) => fields).find(({ plan_id: planId }) => planId === id);
  };
  return eventually(ended, PATIENCE_MS, "the plan has its result");
}

const seen = (amount: number) => async () =>
  Number(await rig.client.hget(rig.keys.ledger(SYMBOL), "last_known_amt")) === amount || undefined;
const noneWanted = async () => (await rig.client.exists(rig.keys.closeWanted(SYMBOL))) === 0 || undefined;

it("closes a position of three orders by three plans, of which the first two say that they were capped", async () => {
  const results = [await close(), await close(), await close()];
  expect(
    results.map((result) => [result["outcome"], Number(result["executed_qty"]), result["capped_by_venue"]]),
  ).toEqual([
    ["EXECUTED", 0.8, "True"],
    ["EXECUTED", 0.8, "True"],
    ["EXECUTED", 0.25, undefined],
  ]);
  await eventually(seen(0), PATIENCE_MS, "P3.3 has seen that nothing is left");
  await eventually(noneWanted, PATIENCE_MS, "no close is waited for");
});

it("closes a whole position of 6 dollars, less than the exchange's minimum, and waits for no close of dust", async () => {
  await sim("positions", { symbol: SYMBOL, positionAmt: "-0.002", traded: true });
  await eventually(seen(-0.002), PATIENCE_MS, "P3.3 has seen the position");
  expect(await close()).toMatchObject({ outcome: "EXECUTED", executed_qty: "0.002" });

  await sim("positions", { symbol: SYMBOL, positionAmt: "0.001", traded: true });
  await eventually(seen(0.001), PATIENCE_MS, "P3.3 has seen the dust");
  expect(await close()).toMatchObject({ outcome: "BLOCKED", reason: "p33_permit_denied", detail: "dust" });
  await eventually(noneWanted, PATIENCE_MS, "no close is waited for");
});
