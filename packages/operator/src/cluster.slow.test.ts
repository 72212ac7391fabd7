/** What an operator sees and changes on a real cluster of three masters with six partitions, and while one of them is away. */
import { createIntakeKeys, createKeys, partitionOf, slotOf } from "@quantum/contract";
import { startRedisCluster, urlOfUser } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BY, planIdOf } from "./access.fixture.ts";
import { AccessError, type OpenAccess, withAccess } from "./access.ts";
import { DEAD_LETTER_ID, pageDeadLetters, requeueLetters } from "./dead-letters.ts";
import { checkDeployment } from "./deployment.ts";
import { forceFound } from "./force-found.ts";
import { haltEverywhere } from "./halt-everywhere.ts";
import { partlyText } from "./halt-operations.ts";
import { readPartitions } from "./migrate/list.ts";
import { lookBefore } from "./migrate/migrate.ts";
import { readOverview } from "./overview.ts";
import { findPlan } from "./plan-history.ts";
import { readPresentPlans } from "./present-plans.ts";
import { searchPlans } from "./search-plans.ts";

const COUNT = 6;
const START_MS = 60_000;
const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];
const wire = createKeys();
const intake = createIntakeKeys(COUNT);
let cluster: Awaited<ReturnType<typeof startRedisCluster>>;

const as = <T>(user: string, work: (access: OpenAccess) => Promise<T>) =>
  withAccess({ url: urlOfUser(cluster.url, user), name: "test" }, work);

/** On the master that has the key. */
async function on<T>(
  key: string,
  work: (redis: ReturnType<typeof connectForCommands>) => Promise<T>,
): Promise<T> {
  const options = { url: cluster.url, slotOf: key, name: "seed", onError: () => undefined };
  const redis = connectForCommands(options);
  try {
    return await work(redis);
  } finally {
    await disconnect(redis);
  }
}

beforeAll(async () => {
  cluster = await startRedisCluster({ partitions: COUNT });
  await on(wire.partitions, (redis) => redis.set(wire.partitions, COUNT));
  for (const [n, symbol] of SYMBOLS.entries()) {
    const keys = createKeys({ partition: partitionOf(symbol, COUNT) });
    await on(keys.probe, async (redis) => {
      await redis.sadd(keys.orderSymbols, symbol);
      await redis.set(keys.dedupe(planIdOf(n)), "1");
      await redis.hset(keys.plan(planIdOf(n)), { state: "BLOCKED", symbol });
      await redis.xadd(keys.streams.result, `${100 + n}-0`, "plan_id", planIdOf(n), "symbol", symbol);
    });
  }
  await on(wire.streams.proposal, async (redis) => {
    const { proposal } = wire.streams;
    await redis.xadd(proposal, "1-0", "symbol", "BTCUSDT");
    await redis.xgroup("CREATE", proposal, "apply", "$");
    const letter = ["stream", proposal, "group", "apply", "reason", "bad", "entry_id", "1-0"];
    await redis.xadd(intake.streams.deadLetter, "5-0", ...letter);
  });
}, START_MS);
afterAll(() => cluster.stop());

it("plans, dead letters and partitions are seen wherever they are, and changed there", async () => {
  await as("viewer", async (access) => {
    const { rows } = await searchPlans(access, {});
    expect(rows.map(({ symbol }) => symbol)).toEqual(SYMBOLS.toReversed());
    const { symbols, silent, deadLetters } = await readOverview(access);
    expect(symbols.map(({ symbol }) => symbol).toSorted()).toEqual(SYMBOLS.toSorted());
    expect({ silent, deadLetters }).toEqual({ silent: [], deadLetters: 1 });
    expect((await findPlan(access, planIdOf(2)))?.record.symbol).toBe("SOLUSDT");
    expect(await readPresentPlans(access)).toEqual([]);
    const servers = (await readPartitions(access)).map(({ server }) => server);
    expect(new Set(servers).size).toBe(cluster.ports.length);
    const checks = (await checkDeployment(access, {})).map(({ check }) => check);
    expect(checks).toEqual(expect.arrayContaining(servers.map((at) => `durability of ${at}`)));
  });
  await as("operator", async (access) => {
    expect(await forceFound(access, planIdOf(1), BY)).toEqual({ kind: "cleared", state: "BLOCKED" });
    const [letter] = (await pageDeadLetters(access, {})).rows;
    expect(letter?.id).toMatch(DEAD_LETTER_ID);
    const [done] = await requeueLetters(access, [letter?.id ?? ""], BY);
    expect(done).toEqual({ id: "5-0@intake", done: true, why: "" });
  });
  const keys = createKeys({ partition: partitionOf("ETHUSDT", COUNT) });
  expect(await on(keys.probe, (redis) => redis.xlen(keys.streams.operatorAudit))).toBe(1);
});

it("the number is not changed to one there, and says why", async () => {
  await as("admin", async (access) => {
    const { problems } = await lookBefore(access, 1);
    expect(problems).toEqual([expect.stringContaining("this is a cluster")]);
  });
});

it("the kill switch goes on by the wire's key while the server of the partitions' number is silent", async () => {
  const numberAt = await cluster.masterOf(slotOf(wire.partitions));
  expect(numberAt).not.toBe(await cluster.masterOf(slotOf(wire.killSwitch)));
  const options = { url: urlOfUser(cluster.url, "operator"), name: "test" };
  process.kill(cluster.pidOf(numberAt), "SIGSTOP");
  try {
    await withAccess({ ...options, halting: true }, async (access) => {
      const { changed, recorded, reached } = await haltEverywhere(access, BY);
      expect({ changed, recorded }).toEqual({ changed: true, recorded: false });
      expect(partlyText("It is on", reached)).toBe(
        "It is on in the wire's key, and not known to be in the partitions, whose number is not known (Redis does not answer)",
      );
    });
    expect(await on(wire.killSwitch, (redis) => redis.get(wire.killSwitch))).toBe("1");
    // Only that is done without the number.
    const refused = await withAccess(options, async () => undefined).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AccessError);
    expect((refused as AccessError).problem).toEqual({
      kind: "no answer",
      where: expect.stringContaining(`where ${wire.partitions} is`),
    });
  } finally {
    process.kill(cluster.pidOf(numberAt), "SIGCONT");
  }
  await on(wire.killSwitch, (redis) => redis.del(wire.killSwitch));
});

it("the kill switch goes on by the wire's key where nothing says how many partitions the cluster has", async () => {
  await on(wire.partitions, (redis) => redis.del(wire.partitions));
  const options = { url: urlOfUser(cluster.url, "operator"), name: "test", halting: true } as const;
  await withAccess(options, async (access) => {
    const { reached } = await haltEverywhere(access, BY);
    expect(partlyText("It is on", reached)).toBe(
      `It is on in the wire's key, and not known to be in the partitions, whose number is not known (${wire.partitions} is missing, and a cluster has several partitions)`,
    );
  });
  expect(await on(wire.killSwitch, (redis) => redis.get(wire.killSwitch))).toBe("1");
  await expect(as("viewer", async () => undefined)).rejects.toThrow(`${wire.partitions} is missing`);
  await on(wire.killSwitch, (redis) => redis.del(wire.killSwitch));
  await on(wire.partitions, (redis) => redis.set(wire.partitions, COUNT));
});

it("partitions whose master is away are named, and the others told", async () => {
  const away = SYMBOLS.find(
    (symbol) => slotOwner(slotOfPartition(symbol)) !== slotOwner(slotOf(wire.partitions)),
  );
  if (away === undefined) throw new Error("all symbols are with the wire's key");
  const masters = await Promise.all(SYMBOLS.map((symbol) => cluster.masterOf(slotOfPartition(symbol))));
  const gone = masters[SYMBOLS.indexOf(away)];
  const left = SYMBOLS.filter((_, at) => masters[at] !== gone);
  await as("viewer", async (access) => {
    process.kill(cluster.pidOf(gone ?? 0), "SIGKILL");
    const { silent, symbols } = await readOverview(access);
    expect(silent).toContainEqual(
      expect.stringContaining(`partition q${partitionOf(away, COUNT)} does not answer`),
    );
    expect(symbols.map(({ symbol }) => symbol).toSorted()).toEqual(left.toSorted());
  });
  // What is asked of all fails, and tells where.
  const named = SYMBOLS.filter((_, at) => masters[at] === gone).map((symbol) => partitionOf(symbol, COUNT));
  const failed = await as("viewer", (access) => searchPlans(access, {})).catch((error: unknown) => error);
  expect((failed as AccessError).problem).toEqual({ kind: "no answer", where: expect.any(String) });
  const { where } = (failed as AccessError).problem as { where: string };
  expect(where).toMatch(/^ in q\d/);
  for (const partition of named) expect(where).toContain(`q${partition}`);
  for (const symbol of left) expect(where).not.toContain(`q${partitionOf(symbol, COUNT)}`);

  function slotOfPartition(symbol: string): number {
    return slotOf(createKeys({ partition: partitionOf(symbol, COUNT) }).probe);
  }
  /** Three masters have a third of the slots each, in order. */
  function slotOwner(slot: number): number {
    return Math.floor(slot / (16_384 / 3));
  }
});
