/** The apply-layer on a real cluster: proposals lie where their keys' slots are, plans in their symbols' partitions. */
import { createIntakeKeys, parseProposal, planId, slotOf } from "@quantum/contract";
import { patienceMs, type ServiceProcess } from "@quantum/harness";
import { type Rig, startRig, SYMBOLS } from "@quantum/harness/rig";
import { connectForHashes, type Hashes, type RedisClient } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

const PARTITIONS = 6;
const INTAKE = createIntakeKeys(PARTITIONS);
const WAIT = { timeout: patienceMs(30_000), interval: 50 };
const FAILED_POLL = "failed to poll the proposal hashes, trying again";

let rig: Rig<"cluster">;
let service: ServiceProcess;
let hashes: Hashes;
let intake: RedisClient;
beforeAll(async () => {
  rig = await startRig({ redis: "cluster", partitions: PARTITIONS });
  hashes = connectForHashes({ url: rig.redisUrl, name: "test", onError: () => undefined });
  intake = rig.stored.connectTo(INTAKE.streams.proposal);
  service = await rig.start("apply-layer", { APPLY_POLL_SEC: "0.1" });
});
afterAll(async () => {
  await hashes.close();
  await rig.stop();
});

let proposed = 0;
/** A proposal like none before, and its plan. */
function proposalOf(symbol: string) {
  proposed += 1;
  const fields = {
    harvest_action: "PARTIAL_50",
    kill_score: String(proposed / 1_000),
    last_update_epoch: String(Math.floor(Date.now() / 1_000)),
  };
  const read = parseProposal(symbol, fields);
  if (!read.ok) throw new Error(read.problems.join());
  return { symbol, fields, plan: planId(read.proposal) };
}

async function plansOf(symbol: string): Promise<string[]> {
  const { redis, keys } = rig.stored.partitions.of(symbol);
  const entries = (await redis.xrange(keys.streams.plan, "-", "+")).map(([, flat]) => fieldsOf(flat));
  return entries.filter((entry) => entry["symbol"] === symbol).map((entry) => entry["plan_id"] ?? "");
}

const publish = ({ symbol, fields }: ReturnType<typeof proposalOf>) =>
  intake.xadd(INTAKE.streams.proposal, "*", "symbol", symbol, ...Object.entries(fields).flat());

it("finds proposals in hashes of all masters, and gives up one beside the stream", async () => {
  const masters = SYMBOLS.map((symbol) => rig.redis.masterOf(slotOf(INTAKE.proposal(symbol))));
  expect(new Set(await Promise.all(masters)).size).toBeGreaterThan(1);
  const proposals = SYMBOLS.map(proposalOf);
  for (const { symbol, fields } of proposals) await hashes.replace(INTAKE.proposal(symbol), fields);
  await vi.waitFor(async () => {
    for (const { symbol, plan } of proposals) expect(await plansOf(symbol)).toEqual([plan]);
  }, WAIT);
  expect(service.logs.filter(({ msg }) => msg === FAILED_POLL)).toEqual([]);

  await intake.xadd(INTAKE.streams.proposal, "*", "symbol", "BTCUSDT");
  await vi.waitFor(async () => expect(await intake.xlen(INTAKE.streams.deadLetter)).toBe(1), WAIT);
});

it("goes on with both once the proposals' master has been replaced", async () => {
  const before = new Map<string, string[]>();
  for (const symbol of SYMBOLS) before.set(symbol, await plansOf(symbol));
  await rig.redis.killMaster(slotOf(INTAKE.streams.proposal));
  const inHashes = SYMBOLS.map(proposalOf);
  const onStream = SYMBOLS.map(proposalOf);
  for (const { symbol, fields } of inHashes)
    await vi.waitFor(() => hashes.replace(INTAKE.proposal(symbol), fields), WAIT);
  for (const proposal of onStream) await vi.waitFor(() => publish(proposal), WAIT);
  await vi.waitFor(async () => {
    for (const [index, symbol] of SYMBOLS.entries()) {
      const added = [inHashes[index]?.plan, onStream[index]?.plan];
      expect(new Set(await plansOf(symbol))).toEqual(new Set([...(before.get(symbol) ?? []), ...added]));
    }
  }, WAIT);
  for (const symbol of SYMBOLS) {
    const plans = await plansOf(symbol);
    expect(new Set(plans).size).toBe(plans.length);
  }
});
