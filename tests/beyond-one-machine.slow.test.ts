/** The whole pipeline, its keys in six partitions: on one server, and on a cluster whose slots and masters move meanwhile. */
import { createKeys, ISSUERS, slotOf } from "@quantum/contract";
import type { RedisCluster } from "@quantum/harness";
import { type Rig, type RigRedis, startRig, SYMBOLS } from "@quantum/harness/rig";
import { addedAtMs } from "@quantum/streams";
import { PIPELINE } from "@quantum/topology";
import { expect, it, onTestFinished } from "vitest";
import { runFeed } from "./feed-run.ts";

const PARTITIONS = 6;
const PLANS = 600;
/** Slow enough that slots and masters move between plans. */
const RATE_PER_SEC = 60;
/**
 * Half a minute of them. Where a master or a slot has moved, what may have been sent is queried for some 12 s first (docs/adr/0008),
 * and plans must come after that.
 */
const PLANS_THROUGH_MOVES = 1_800;
/** More than the positions are worth. */
const LARGE_LIMIT = "1e9";
/** What ends it is that no plan ends any more. */
const TIMEOUT_MS = 300_000;

async function givenPipeline<Kind extends RigRedis>(redis: Kind): Promise<Rig<Kind>> {
  const rig = await startRig({ partitions: PARTITIONS, redis });
  onTestFinished(() => rig.stop());
  const limits = {
    GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: LARGE_LIMIT,
    // Of a symbol whose price is not known.
    GOV_MAX_REDUCE_QTY_PER_DAY: LARGE_LIMIT,
  };
  await Promise.all(PIPELINE.map(({ name }) => rig.start(name, name === "governor" ? limits : {})));
  return rig;
}

/** The slot of all that is known of the symbol. */
const slotOfSymbol = ({ stored }: Rig<RigRedis>, symbol: string) =>
  slotOf(stored.partitions.of(symbol).keys.probe);

/** The key families that a partition has of its own. */
async function expectNothingOnTheWire({ stored }: Rig<RigRedis>): Promise<void> {
  const wire = createKeys();
  const own = [wire.streams.plan, wire.streams.execute, wire.handedOver, wire.orderSymbols, wire.orderEpoch];
  for (const key of own) expect([key, await stored.connectTo(key).exists(key)]).toEqual([key, 0]);
}

it("executes every plan in the partition of its symbol", { timeout: TIMEOUT_MS }, async () => {
  const rig = await givenPipeline("lone");
  const { history } = await runFeed(rig, PLANS, ISSUERS);
  const used = new Set(SYMBOLS.map((symbol) => rig.stored.partitions.of(symbol).number));
  // The market's symbols must show several partitions, of which one is not the account's.
  expect(used.size).toBeGreaterThan(2);
  for (const { number, keys, redis } of rig.stored.partitions.all) {
    const own = history.plans.filter(({ symbol }) => rig.stored.partitions.of(symbol).number === number);
    expect(await redis.xlen(keys.streams.plan)).toBe(own.length);
    expect(own.length > 0).toBe(used.has(number));
  }
  await expectNothingOnTheWire(rig);
});

it(
  "loses and doubles nothing on a cluster whose slots and masters move",
  { timeout: TIMEOUT_MS },
  async () => {
    const rig = await givenPipeline("cluster");
    const { redis: cluster } = rig;
    const [first = "", second = ""] = SYMBOLS;
    const moved = slotOfSymbol(rig, first);
    const before = await cluster.masterOf(moved);
    let overAtMs = Number.POSITIVE_INFINITY;
    const meanwhile = async () => {
      await cluster.reshard(moved, await anotherMaster(cluster, moved));
      await cluster.promote(slotOfSymbol(rig, second));
      await cluster.promote(slotOf(createKeys().streams.proposal));
      overAtMs = Date.now();
    };
    const { history } = await runFeed(rig, PLANS_THROUGH_MOVES, ISSUERS, {
      ratePerSec: RATE_PER_SEC,
      meanwhile,
    });
    expect(await cluster.masterOf(moved)).not.toBe(before);
    const after = history.results.filter(({ id, executed }) => executed && addedAtMs(id) > overAtMs);
    expect(new Set(after.map(({ symbol }) => symbol))).toEqual(new Set(SYMBOLS));
    await expectNothingOnTheWire(rig);
  },
);

async function anotherMaster(cluster: RedisCluster, slot: number): Promise<number> {
  const now = await cluster.masterOf(slot);
  const masters = (await cluster.nodes()).filter(({ slots }) => slots.length > 0);
  const other = masters.find(({ port }) => port !== now);
  if (other === undefined) throw new Error("the cluster has one master");
  return other.port;
}
