/** The issuers on a real cluster with a partition on each master: one master's failover is the trouble of its own partition. */
import { DEFAULT_MARKET, type SymbolSpec } from "@quantum/exchange-sim";
import { keepRunning, patienceMs } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { createKeys, slotOf } from "@quantum/contract";
import { addedAtMs } from "@quantum/streams";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const PARTITIONS = 3;
const WAIT_MS = patienceMs(20_000);
/** How long a plan waits for its permits. */
const WAIT_BUDGET_MS = 1_200;
const ISSUERS = ["governor", "p33", "p26"] as const;

const [BTC, ETH] = DEFAULT_MARKET as [SymbolSpec, SymbolSpec];
const SUI = { ...ETH, symbol: "SUIUSDT" };
const MARKET = [BTC, ETH, SUI];

let rig: Rig<"cluster">;
/** There is no apply-layer here, and so nobody else who shows the partitions the kill switch. */
let marks: { stop: () => Promise<void> }[] = [];
let plans = 0;

beforeAll(async () => {
  rig = await startRig({ market: MARKET, partitions: PARTITIONS, redis: "cluster" });
  for (const { symbol } of MARKET) {
    const key = createKeys().proposal(symbol);
    const last_update_epoch = String(Math.floor(Date.now() / 1_000));
    await rig.stored.connectTo(key).hset(key, { sigma: "0.01", last_update_epoch });
  }
  marks = await Promise.all(rig.stored.partitions.map(({ redis, keys }) => keepRunning(redis, [keys])));
  await Promise.all(["governor", "position-brain", "portfolio-gate"].map((name) => rig.start(name)));
});
afterAll(async () => {
  await Promise.all(marks.map((mark) => mark.stop()));
  await rig.stop();
});

const placeOf = ({ symbol }: SymbolSpec) => rig.stored.partitions.of(symbol);
const slotOfPartition = (spec: SymbolSpec) => slotOf(placeOf(spec).keys.killSwitch);

interface Answers {
  granted: Record<string, boolean | undefined>;
  /** From the plan's publication to the last answer. */
  tookMs: number;
}

/** Publishes a plan in the Python apply-layer's form, waits for all answers, and ends it without an order. */
async function answersTo(spec: SymbolSpec): Promise<Answers> {
  const { keys, redis } = placeOf(spec);
  const { symbol } = spec;
  const plan_id = (plans += 1).toString(16).padStart(16, "0");
  const fields = { plan_id, symbol, action: "PARTIAL_25", kill_score: "0.7", decision: "EXECUTE" };
  const steps = '[{"step": "CLOSE_PARTIAL_25", "type": "market_reduce_only", "side": "close", "pct": 25.0}]';
  const attempt = await redis.xadd(keys.streams.plan, "*", ...Object.entries({ ...fields, steps }).flat());
  const read = async (issuer: string) => {
    const [permit, block] = await Promise.all([
      redis.get(keys.permit(issuer, plan_id)),
      redis.get(keys.block(issuer, plan_id)),
    ]);
    const text = permit ?? block;
    if (text === null) throw new Error(`${issuer} has not answered plan ${plan_id}`);
    return JSON.parse(text) as { granted?: boolean; allow?: boolean; created_at: number };
  };
  const found = await vi.waitFor(() => Promise.all(ISSUERS.map(read)), { timeout: WAIT_MS, interval: 20 });
  const end = { plan_id, symbol, decision: "EXECUTE", executed: "False", would_execute: "False" };
  const result = { ...end, steps_results: "[]", error: "", outcome: "NOT_PLACED" };
  await redis.xadd(keys.streams.result, "*", ...Object.entries(result).flat());
  return {
    granted: Object.fromEntries(
      ISSUERS.map((issuer, at) => [issuer, found[at]?.granted ?? found[at]?.allow ?? false]),
    ),
    tookMs: Math.max(...found.map(({ created_at }) => created_at * 1_000)) - addedAtMs(attempt ?? ""),
  };
}

const ALL = { governor: true, p33: true, p26: true };

describe("issuers on a cluster", () => {
  it("answer on every master", async () => {
    const masters = await Promise.all(MARKET.map((spec) => rig.redis.masterOf(slotOfPartition(spec))));
    expect(new Set(masters).size).toBe(PARTITIONS);
    for (const spec of MARKET) expect((await answersTo(spec)).granted).toEqual(ALL);
  });

  it("answer in time while another partition's master is replaced, and the portfolio gate denies meanwhile", async () => {
    const replacing = { isOver: false };
    const replaced = rig.redis.killMaster(slotOfPartition(ETH)).finally(() => (replacing.isOver = true));
    const answers: Answers[] = [];
    while (!replacing.isOver) answers.push(await answersTo(BTC));
    await replaced;
    expect(answers.length).toBeGreaterThan(1);
    for (const { granted, tookMs } of answers) {
      expect(granted).toMatchObject({ governor: true, p33: true });
      expect(tookMs).toBeLessThan(patienceMs(WAIT_BUDGET_MS));
    }
    expect(answers.map(({ granted }) => granted["p26"])).toContain(false);
    // It knows the whole portfolio again, and the partition answers on its new master.
    for (const spec of [BTC, ETH])
      await vi.waitFor(async () => expect((await answersTo(spec)).granted).toEqual(ALL), {
        timeout: WAIT_MS,
      });
  });

  it("go on after the master of the account's partition was replaced", async () => {
    await rig.redis.killMaster(slotOfPartition(SUI));
    for (const spec of MARKET)
      await vi.waitFor(async () => expect((await answersTo(spec)).granted).toEqual(ALL), {
        timeout: WAIT_MS,
      });
  });
});
