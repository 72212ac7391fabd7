/**
 * How long a halt takes, under load and with one service after the other slow: from the operator's action, which is the
 * start of the process, to the last claim and to the last refused one.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually, type FaultProxy, patienceMs, startFaultProxy, urlOfUser } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { addedAtMs, parseEntries } from "@quantum/streams";
import { afterEach, beforeEach, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const SERVICES = ["apply-layer", "governor", "position-brain", "executor"] as const;
const TIMEOUT_MS = 120_000;
const BOUND_MS = 2_000;
/** Between the slow service and Redis, each way. */
const SLOW_MS = 50;
const LOAD = { FEED_RATE: "100", FEED_MAX: "0", FEED_IN_FLIGHT_PER_SYMBOL: "4" };
const ORDERS_BEFORE = 30;
const PATIENCE_MS = 30_000;

let rig: Rig;
let proxy: FaultProxy;
beforeEach(async () => {
  rig = await startRig();
  proxy = await startFaultProxy({ upstream: { port: rig.redis.port }, protocol: "resp" });
});
afterEach(async () => {
  await rig.stop();
  await proxy.close();
});

async function redisMs(): Promise<number> {
  const [seconds, micros] = await rig.client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

const results = async () => parseEntries(await rig.client.xrange(rig.keys.streams.result, "-", "+"));

/** When each order was claimed, by Redis's clock. */
async function claimedMs(): Promise<number[]> {
  const { orders } = await rig.simState();
  const plans = orders.flatMap(({ clientOrderId }) => /^qp-([0-9a-f]{16})-/.exec(clientOrderId)?.[1] ?? []);
  return Promise.all(
    plans.map(async (plan) => Number(await rig.client.hget(rig.keys.order(plan), "claimed_at_ms"))),
  );
}

it.each([...SERVICES, "no service"])("with %s slow", { timeout: TIMEOUT_MS }, async (slow) => {
  const slowUrl = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  for (const name of SERVICES) await rig.start(name, name === slow ? slowUrl : {});
  proxy.delay(SLOW_MS);
  await rig.start("harvest-feed", LOAD);
  await eventually(
    async () => (await claimedMs()).length >= ORDERS_BEFORE || undefined,
    PATIENCE_MS,
    "orders are sent",
  );

  const actedMs = await redisMs();
  await promisify(execFile)(process.execPath, ["scripts/permitctl.mjs", "kill", "on"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], REDIS_URL: urlOfUser(rig.redis.url, "operator") },
  });
  const [setting] = await rig.client.xrevrange(rig.keys.streams.operatorAudit, "+", "-", "COUNT", 1);
  // The audit entry is written in the step that sets the switch.
  const haltedMs = addedAtMs(setting?.[0] ?? "");
  await eventually(
    async () => {
      const handedOver = await rig.client.xpending(rig.keys.streams.execute, "executor");
      return Number(handedOver[0]) === 0 || undefined;
    },
    PATIENCE_MS,
    "everything that was handed over has its result",
  );

  const lastClaimMs = Math.max(...(await claimedMs()));
  const refusedMs = (await results())
    .filter(({ fields }) => fields["outcome"] === "NOT_PLACED" && fields["reason"] === "kill_switch_active")
    .map(({ id }) => addedAtMs(id));
  const since = (atMs: number) => atMs - actedMs;
  const told = {
    halted: since(haltedMs),
    lastClaim: since(lastClaimMs),
    refusedClaims: refusedMs.length,
    lastRefusedClaim: refusedMs.length === 0 ? undefined : since(Math.max(...refusedMs)),
  };
  console.log(`halt with ${slow} slow, in ms from the action: ${JSON.stringify(told)}`);
  // I6, exactly: in Redis's order, nothing is claimed after the switch.
  expect(lastClaimMs).toBeLessThanOrEqual(haltedMs);
  expect(told.halted).toBeLessThan(patienceMs(BOUND_MS));
  expect(told.lastRefusedClaim ?? 0).toBeLessThan(patienceMs(BOUND_MS));
});
