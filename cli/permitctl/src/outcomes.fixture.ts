/** A running pipeline with a plan for every outcome, for the tests and for the examples in docs/permitctl.md. */
import { hostname } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { planId } from "@quantum/contract";
import { Output } from "@quantum/service-kit";
import { eventually, freePort, RUN_OPERATOR, type ServiceProcess } from "@quantum/harness";
import { operatorKeyFile, PIPELINE, type PipelineName, serviceOf } from "@quantum/topology";
import { run } from "./run.ts";
import { type Rig, startRig } from "@quantum/harness/rig";

const PATIENCE_MS = 10_000;
/** Longer than any test. An order stays in doubt while the exchange tells nothing of it, neither asked nor by events. */
const ENDLESS = 1_000;

/** Long enough for a busy machine, short enough to wait for in vain once. */
const WAIT_MS = 2_500;

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

export type Pipeline = Awaited<ReturnType<typeof startPipeline>>;

/** @param waitMs how long plans wait for permits */
export async function startPipeline(waitMs = WAIT_MS) {
  const rig = await startRig();
  // The rig uses the fastest setting; `verify` requires the safest.
  await rig.client.config("SET", "appendfsync", "always");
  const running = new Map<string, ServiceProcess>();
  const start = async (name: PipelineName, env: Record<string, string> = {}) => {
    const port = String(await freePort());
    // As a service names itself: permitctl asks the one at this port.
    const known = { [serviceOf(name).portVariable]: port, INSTANCE: `${name}@${hostname()}:${port}` };
    running.set(name, await rig.start(name, { ...known, ...env }));
  };
  const startApplyLayer = (mode: string) =>
    start("apply-layer", {
      APPLY_MODE: mode,
      APPLY_POLL_SEC: "0.2",
      APPLY_PERMIT_WAIT_MS: String(waitMs),
    });
  const own: Partial<Record<PipelineName, Record<string, string>>> = {
    "position-brain": { P33_POLL_SEC: "0.5" },
  };
  await Promise.all(
    PIPELINE.map(({ name }) => (name === "apply-layer" ? startApplyLayer("paper") : start(name, own[name]))),
  );
  const service = (name: string): ServiceProcess => {
    const found = running.get(name);
    if (found === undefined) throw new Error(`${name} is not running`);
    return found;
  };

  return {
    rig,
    service,
    /** Restarts it in another mode. */
    restartApplyLayer: async (mode: string): Promise<void> => {
      await service("apply-layer").stop();
      await startApplyLayer(mode);
    },
    permitctl: (...args: string[]) => permitctl(rig.redis.url, args, waitMs, operatorOf(rig)),
    sim: async (path: string, body: object): Promise<void> => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${rig.venueUrl}${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
    stop: () => rig.stop(),
  };
}

/** The rig's operator, who may exit. */
function operatorOf({ keysFolder }: Rig): Record<string, string> {
  return {
    PERMITCTL_OPERATOR_KEY: join(keysFolder, operatorKeyFile(RUN_OPERATOR)),
    EXECUTOR_MODE: "paper",
    BINANCE_BASE_URL: "simulated",
  };
}

/** Runs one command in this process. @param env beyond what every command needs */
export async function permitctl(
  redisUrl: string,
  args: readonly string[],
  waitMs = WAIT_MS,
  env: Readonly<Record<string, string>> = {},
  stop: AbortSignal = new AbortController().signal,
): Promise<Answer> {
  const answer = { stdout: "", stderr: "" };
  const into = (stream: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        answer[stream] += String(chunk);
        done();
      },
    });
  const code = await run(args, {
    env: { REDIS_URL: redisUrl, APPLY_PERMIT_WAIT_MS: String(waitMs), ...env },
    stdin: Readable.from([]),
    stdout: new Output(into("stdout")),
    stderr: new Output(into("stderr")),
    stop,
  });
  return { code, ...answer };
}

/**
 * Publishes a proposal to the stream or to the polled hash.
 * @returns the plan id
 */
export async function propose(
  { client, keys }: Rig,
  symbol: string,
  action: string,
  into: "stream" | "hash" = "stream",
): Promise<string> {
  const now = Date.now();
  const proposal = {
    harvest_action: action,
    kill_score: "0.5",
    new_sl_proposed: "None",
    R_net: "4.2",
    computed_at_utc: new Date(now).toISOString().replace("Z", "123"),
    last_update_epoch: String(now / 1_000),
  };
  if (into === "hash") await client.hset(keys.proposal(symbol), proposal);
  else await client.xadd(keys.streams.proposal, "*", "symbol", symbol, ...Object.entries(proposal).flat());
  return planId({
    symbol,
    harvestAction: action,
    killScore: Number(proposal.kill_score),
    newSlProposed: undefined,
    computedAtUtc: proposal.computed_at_utc,
  });
}

/** Waits until the plan's record has this state. */
export async function reached({ client, keys }: Rig, id: string, state: string): Promise<string> {
  let record: Record<string, string> = {};
  const probe = async () => {
    record = await client.hgetall(keys.plan(id));
    return record["state"] === state ? id : undefined;
  };
  return eventually(probe, PATIENCE_MS, `plan ${id} is ${state}`).catch((error: Error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(record)}`);
  });
}

/** A plan id for each outcome. */
export type Outcomes = Record<(typeof OUTCOME_NAMES)[number], string>;

export const OUTCOME_NAMES = [
  "EXECUTED",
  "SKIP",
  "ERROR",
  "BLOCKED, the kill switch is on",
  "BLOCKED, an issuer is missing",
  "BLOCKED, an issuer denies",
  "REJECTED",
  "NOT_PLACED",
  "UNKNOWN",
  "DRY_RUN",
] as const;

/** Leaves XRPUSDT held, 1000SHIBUSDT in doubt and the pipeline in dry-run mode. */
export async function bringAbout(pipeline: Pipeline): Promise<Outcomes> {
  const { rig, sim, service, restartApplyLayer } = pipeline;
  const { client, keys } = rig;
  const plan = async (symbol: string, action: string, state: string) =>
    reached(rig, await propose(rig, symbol, action), state);
  const fault = (kind: string, more: object = {}) => sim("/sim/faults", { kind, ...more });

  const executed = await plan("BTCUSDT", "PARTIAL_75", "EXECUTED");
  const skip = await plan("BTCUSDT", "HOLD", "SKIP");
  const error = await plan("BTCUSDT", "PARTIAL_80", "ERROR");

  await client.set(keys.killSwitch, "1");
  const killed = await plan("ETHUSDT", "PARTIAL_50", "BLOCKED");
  await client.del(keys.killSwitch);

  service("position-brain").pause();
  const missing = await plan("ETHUSDT", "PARTIAL_50", "BLOCKED");
  service("position-brain").resume();

  await sim("/sim/positions", { symbol: "XRPUSDT", positionAmt: "1000", traded: false });
  const held = async () => (await client.hget(keys.ledger("XRPUSDT"), "disagrees_since_ms")) || undefined;
  await eventually(held, PATIENCE_MS, "XRPUSDT is held");
  const denied = await plan("XRPUSDT", "PARTIAL_25", "BLOCKED");

  await fault("error", { code: -2019 });
  const rejected = await plan("SOLUSDT", "PARTIAL_50", "REJECTED");
  const untold = { kind: "drop", event: "ORDER_TRADE_UPDATE", symbol: "1000SHIBUSDT", count: ENDLESS };
  await sim("/sim/stream-faults", untold);
  await fault("-1007");
  await fault("503_before", { path: "GET /fapi/v1/order", count: ENDLESS });
  const unknown = await plan("1000SHIBUSDT", "FULL_CLOSE_PROPOSED", "UNKNOWN");

  // Must be the last order, because a pause follows, in which P3.3 denies.
  await fault("429", { ms: 100 });
  const notPlaced = await plan("BNBUSDT", "PARTIAL_50", "NOT_PLACED");
  // The executor knew of the pause before the result; its key is written beside it, and P3.3 reads that once a second.
  const isPaused = async (name: string) => {
    const metrics = await (await fetch(`${service(name).url}/metrics`)).text();
    return !metrics.includes('quantum_exchange_pause_seconds{scope="requests"} 0\n');
  };
  const resumed = async () => {
    if (await isPaused("executor")) return undefined;
    if ((await client.exists(keys.exchangePause("requests"))) > 0) return undefined;
    return (await isPaused("position-brain")) ? undefined : true;
  };
  await eventually(resumed, PATIENCE_MS, "the exchange's pause is over");

  await restartApplyLayer("dry_run");
  const dryRun = await plan("SOLUSDT", "FULL_CLOSE_PROPOSED", "DRY_RUN");
  return {
    EXECUTED: executed,
    SKIP: skip,
    ERROR: error,
    "BLOCKED, the kill switch is on": killed,
    "BLOCKED, an issuer is missing": missing,
    "BLOCKED, an issuer denies": denied,
    REJECTED: rejected,
    NOT_PLACED: notPlaced,
    UNKNOWN: unknown,
    DRY_RUN: dryRun,
  };
}
