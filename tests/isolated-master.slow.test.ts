/** A master of a cluster that is cut off together with the executor, while the kill switch is set on the other side. */
import { EXECUTE_TTL_MAX_MS, flatFields, parseProposal, planId, slotOf } from "@quantum/contract";
import { eventually, History, patienceMs, StreamTail, urlOfUser } from "@quantum/harness";
import { type Rig, startRig, SYMBOLS } from "@quantum/harness/rig";
import { operations, withAccess } from "@quantum/operator";
import { connectForCommands, disconnect } from "@quantum/redis";
import { PIPELINE } from "@quantum/topology";
import { expect, it, onTestFinished } from "vitest";

const PARTITIONS = 6;
const PIPELINE_MS = 30_000;
/** Of a failover, and of an operator's tries until each partition has a master. */
const HALTED = { timeout: patienceMs(30_000), interval: 200 };
/** Longer than what happens between handover and kill switch; the longest that is allowed. */
const LONG_LIVED = { APPLY_EXECUTE_TTL_MS: String(EXECUTE_TTL_MAX_MS) };
const [SYMBOL = ""] = SYMBOLS;

/** @returns the plan's id */
async function propose({ stored }: Rig<"cluster">): Promise<string> {
  const nowMs = Date.now();
  const fields = {
    harvest_action: "PARTIAL_25",
    new_sl_proposed: "None",
    R_net: "3.0",
    kill_score: "0.3",
    computed_at_utc: `${new Date(nowMs).toISOString().slice(0, -1)}000`,
    last_update_epoch: String(Math.floor(nowMs / 1_000)),
    source: "test",
  };
  const parsed = parseProposal(SYMBOL, fields);
  if (!parsed.ok) throw new Error(parsed.problems.join("; "));
  const { redis, keys } = stored.intake;
  await redis.xadd(keys.streams.proposal, "*", "symbol", SYMBOL, ...flatFields(fields));
  return planId(parsed.proposal);
}

it(
  "claims nothing once 1.5 times cluster-node-timeout are over",
  async () => {
    const rig = await startRig({ partitions: PARTITIONS, redis: "cluster", canIsolate: true });
    onTestFinished(() => rig.stop());
    const { redis: cluster, stored } = rig;
    const { keys } = stored.partitions.of(SYMBOL);
    const slot = slotOf(keys.probe);
    const port = await cluster.masterOf(slot);
    const old = connectForCommands({
      url: `redis://127.0.0.1:${port}`,
      name: "test",
      onError: () => undefined,
    });
    onTestFinished(() => disconnect(old));
    // So that the test can look at it when it has stopped.
    await old.config("SET", "cluster-allow-reads-when-down", "yes");
    const [, nodeTimeoutMs] = (await old.config("GET", "cluster-node-timeout")) as [string, string];

    const history = new History();
    const tail = new StreamTail(stored, history);
    onTestFinished(() => tail.stop());
    await Promise.all(
      PIPELINE.filter(({ name }) => name !== "executor").map(({ name }) =>
        rig.start(name, name === "apply-layer" ? LONG_LIVED : {}),
      ),
    );
    // It knows no other node, so it stays with this one whatever the others say.
    const executor = await rig.start("executor", { REDIS_URL: `redis+cluster://127.0.0.1:${port}` });
    const first = await propose(rig);
    await eventually(
      async () => history.results.find((result) => result.planId === first && result.executed),
      PIPELINE_MS,
      "an executor that owns the partition's orders",
    );

    executor.pause();
    const plan = await propose(rig);
    const handedOver = await eventually(
      async () => history.executes.find((execute) => execute.planId === plan),
      PIPELINE_MS,
      "a plan that was handed over",
    );
    expect(await old.wait(1, PIPELINE_MS)).toBe(1);
    await cluster.isolateMaster(slot);
    const refused = () =>
      old.set(keys.probe, "1").then(
        () => "taken",
        (error: unknown) => String(error),
      );
    const bound = { timeout: patienceMs(1.5 * Number(nodeTimeoutMs)), interval: 20 };
    await expect.poll(refused, bound).toContain("CLUSTERDOWN");

    await cluster.untilReplaced(slot, port);
    const kill = () =>
      withAccess({ url: urlOfUser(rig.redisUrl, "operator"), name: "test", readyCheck: false }, (access) =>
        operations["kill-on"].run(access, {}, { who: "ann@desk", reason: "a drill" }).catch(String),
      );
    await expect.poll(kill, HALTED).toMatch(/ON/);
    expect(handedOver.validUntilMs).toBeGreaterThan(Date.now());
    executor.resume();
    await eventually(
      async () => Date.now() > handedOver.validUntilMs || undefined,
      EXECUTE_TTL_MAX_MS,
      "the end of the time to claim",
    );
    expect(await old.exists(keys.order(plan))).toBe(0);
    await cluster.heal();
    const result = await eventually(
      async () => history.results.find((candidate) => candidate.planId === plan),
      PIPELINE_MS,
      "the plan's result",
    );
    expect(result).toMatchObject({ outcome: "NOT_PLACED", executed: false });
    const orders = (await rig.simState()).orders.map(({ clientOrderId }) => clientOrderId);
    expect(orders.filter((id) => id.includes(plan))).toEqual([]);
  },
  patienceMs(180_000),
);
