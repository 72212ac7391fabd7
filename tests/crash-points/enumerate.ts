/**
 * Crash-point enumeration. Between one service and its servers stand proxies that know frames. The pipeline is idle and
 * one plan is proposed: first undisturbed, to learn the path; then once for each step of it, with the service killed at
 * that step, and started again. A command that is a crash point never arrives; an answer is one after it was given and
 * before it is known.
 *
 * That is every state a kill can leave behind: what an answer does inside a process dies with it, so being killed after
 * it is being killed before the step that follows. For the same reason, reads are no steps, of Redis or of the exchange;
 * only a read that takes entries out of a stream is one, as it leaves them pending.
 */
import { loadScript } from "@quantum/lua";
import { fieldsOf } from "@quantum/streams";
import { type ProxyFrame, type ServiceProcess, startFaultProxy, type Verdict } from "@quantum/testkit";
import { PIPELINE, type PipelineName } from "@quantum/topology";
import { nextProposal, planIdOf } from "../fuzz/inputs.ts";
import { unfinished } from "../groups.ts";
import { eventually, ordersByPlan, type Rig, type SimState, startRig, SYMBOLS } from "../rig.ts";

const SCRIPTS = [
  ...["plans/open", "permits/issue", "permits/consume", "permits/settle_reservation"],
  ...["orders/claim", "orders/doubt", "orders/settle", "ledger/store"],
];
const ENVIRONMENT: Partial<Record<PipelineName, Record<string, string>>> = {
  // Permits are waited for until a killed issuer is back; an order that may have been sent is not asked about for long.
  "apply-layer": { APPLY_PERMIT_WAIT_MS: "10000", APPLY_EXECUTE_TTL_MS: "1000" },
  // Its regular refresh would be no step of any plan's path, and the governor takes no snapshot older than 30 s.
  "position-brain": { P33_POLL_SEC: "15", P33_STALE_THRESHOLD_SEC: "30" },
  executor: { EXECUTOR_RECV_WINDOW_MS: "400", EXECUTOR_TIMEOUT_MS: "300", EXECUTOR_ABSENCE_SEC: "1" },
};
/** Once a service is back, everything ends within seconds (I9). */
const ENDED_MS = 15_000;
/** Frames of one life come in an order of their own; a step that did not come is waited for in the next one. */
const LIVES_MAX = 3;

export interface Enumeration {
  /** The steps at which the victim was killed, in the order of the path. */
  points: string[];
  /** Steps that did not come again: reads that gave nothing, or two wake-ups in one. */
  missed: string[];
  /** What was wrong after a kill. */
  troubles: string[];
}

export interface EnumerationOptions {
  /** What the exchange does to the order of each plan. */
  fault?: string;
  /** The first step to die at: the path before it is another enumeration's. */
  from?: string;
}

export async function enumerateCrashPoints(
  victim: PipelineName,
  { fault, from }: EnumerationOptions = {},
): Promise<Enumeration> {
  const rig = await startCrashRig(victim, fault);
  const enumeration: Enumeration = { points: [], missed: [], troubles: [] };
  try {
    // The first plan only ends the reads with which the services have started.
    const warmUp = await rig.live(undefined);
    const { steps, troubles } = await rig.live(undefined);
    enumeration.troubles.push(...warmUp.troubles, ...troubles);
    for (const step of steps.slice(from === undefined ? 0 : steps.indexOf(from))) {
      let life = await rig.live(step);
      for (let lives = 1; !life.killed && lives < LIVES_MAX; lives += 1) life = await rig.live(step);
      enumeration[life.killed ? "points" : "missed"].push(step);
      enumeration.troubles.push(...life.troubles.map((trouble) => `killed ${step}: ${trouble}`));
    }
  } finally {
    await rig.stop();
  }
  return enumeration;
}

async function startCrashRig(victimName: PipelineName, fault: string | undefined) {
  const rig = await startRig();
  let victim: ServiceProcess | undefined;
  let steps: string[] = [];
  let wanted: string | undefined;
  let killed = false;

  const onFrame = (frame: ProxyFrame): Verdict => {
    if (killed) return "drop";
    const name = stepOf(frame);
    if (name === undefined) return "pass";
    const occurrence = steps.filter((step) => step.startsWith(`${name} #`)).length + 1;
    const step = `${name} #${occurrence}`;
    steps.push(step);
    if (step !== wanted) return "pass";
    killed = true;
    void victim?.kill();
    return "drop";
  };
  const scripts = new Map(SCRIPTS.map((name) => [loadScript(name).sha, name]));
  const venuePort = Number(new URL(rig.venueUrl).port);
  const [redisProxy, venueProxy] = await Promise.all([
    startFaultProxy({ upstream: { port: rig.redis.port }, protocol: "resp", scripts, onFrame }),
    startFaultProxy({ upstream: { port: venuePort }, protocol: "http", onFrame }),
  ]);
  const start = (name: PipelineName) => {
    const proxied = {
      REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
      BINANCE_BASE_URL: `http://127.0.0.1:${venueProxy.port}`,
    };
    const own = { INSTANCE: `${name}-1`, ...ENVIRONMENT[name] };
    return rig.start(name, name === victimName ? { ...own, ...proxied } : own);
  };
  await Promise.all(
    PIPELINE.map(({ name }) => name)
      .filter((name) => name !== victimName)
      .map(start),
  );
  victim = await start(victimName);

  let plans = 0;
  return {
    /** One plan, during which the victim is killed at the step, if that comes. */
    async live(step: string | undefined) {
      const fields = nextProposal(SYMBOLS[(plans += 1) % SYMBOLS.length] ?? "");
      const id = planIdOf(fields);
      if (fault !== undefined) await orderFault(rig.venueUrl, fault);
      [steps, wanted] = [[], step];
      await rig.client.xadd(rig.keys.streams.proposal, "*", ...Object.entries(fields).flat());
      const undisturbed = ended(rig, id, step);
      await Promise.race([undisturbed.catch(() => undefined), victim?.exited]);
      const life = { steps, killed };
      wanted = undefined;
      if (killed) {
        await victim?.exited;
        redisProxy.reset();
        venueProxy.reset();
        killed = false;
        victim = await start(victimName);
      }
      await (life.killed ? ended(rig, id, step) : undisturbed);
      return { ...life, troubles: await troublesOf(rig, id) };
    },
    async stop(): Promise<void> {
      await rig.stop();
      await Promise.all([redisProxy.close(), venueProxy.close()]);
    },
  };
}

/** `before EVALSHA orders/claim`, `after 200 POST /fapi/v1/order`; undefined for what is no step. */
function stepOf({ direction, summary }: ProxyFrame): string | undefined {
  if (summary.includes("quantum:jobs")) return undefined;
  const name = summary.replace(/^(EVALSHA \S+) .*/, "$1");
  const writes = /^(EVALSHA|XACK|SADD|POST|\d+ POST) /.test(name);
  if (direction === "request") return writes ? `before ${name}` : undefined;
  return writes || name.startsWith("XREADGROUP ") ? `after ${name}` : undefined;
}

async function orderFault(venueUrl: string, kind: string): Promise<void> {
  await fetch(`${venueUrl}/sim/faults`, { method: "DELETE" });
  await fetch(`${venueUrl}/sim/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind }),
  });
}

/** @throws Error saying what has not ended */
async function ended(rig: Rig, planId: string, step: string | undefined): Promise<void> {
  let open: string[] = [];
  const isOver = async () => {
    open = await stillOpen(rig, planId);
    return open.length === 0 ? true : undefined;
  };
  await eventually(isOver, ENDED_MS, `${planId} ends`).catch((cause: unknown) => {
    throw new Error(`${planId}, killed ${step ?? "never"}, did not end: ${open.join("; ")}`, { cause });
  });
}

interface Position {
  symbol: string;
  positionAmt: string;
}

/** What of a plan, or of the whole pipeline, has not come to its end. */
async function stillOpen(rig: Rig, planId: string): Promise<string[]> {
  const { client, keys } = rig;
  const [state, left, unsettled, { positions }] = await Promise.all([
    client.hget(keys.plan(planId), "state"),
    unfinished(client, keys.streams),
    client.keys(keys.unsettled("*")),
    rig.simState() as Promise<SimState & { positions: Position[] }>,
  ]);
  const open = left.map(({ what }) => what).concat(unsettled);
  if (state === null || ["WAITING", "PERMITTED", "SENT", "UNKNOWN"].includes(state))
    open.push(`it is ${state}`);
  for (const { symbol, positionAmt } of positions) {
    const amount = await client.hget(keys.ledger(symbol), "last_known_amt");
    if (Number(amount) !== Number(positionAmt))
      open.push(`${symbol}: ledger ${amount}, exchange ${positionAmt}`);
  }
  return open;
}

/** I1, I3, I4, and that the result says what the exchange did. */
async function troublesOf(rig: Rig, planId: string): Promise<string[]> {
  const { client, keys } = rig;
  const entriesOf = async (stream: string) =>
    ((await client.xrange(stream, "-", "+")) as [string, string[]][])
      .map(([, flat]) => fieldsOf(flat))
      .filter((fields) => fields["plan_id"] === planId);
  const [record, results, executes, spent, state] = await Promise.all([
    client.hgetall(keys.plan(planId)),
    entriesOf(keys.streams.result),
    entriesOf(keys.streams.execute),
    client.get(keys.spent(planId)),
    rig.simState(),
  ]);
  const orders = ordersByPlan(state).get(planId) ?? 0;
  const order = state.orders.find(({ clientOrderId }) => clientOrderId === `qp-${planId}-1`);
  const outcome = results[0]?.["outcome"];
  const handovers = spent === null ? 0 : 1;
  const checks: [boolean, string][] = [
    [results.length === 1, `${results.length} results`],
    [outcome === record["state"], `its result is ${outcome} and its record ${record["state"]}`],
    [executes.length === handovers, `${executes.length} execute entries of ${handovers} spent attempts`],
    [orders === (outcome === "EXECUTED" ? 1 : 0), `${orders} orders, and it is ${outcome}`],
    [
      (order?.executedQty ?? "") === (results[0]?.["executed_qty"] ?? ""),
      `${order?.executedQty} were executed`,
    ],
  ];
  return checks.filter(([holds]) => !holds).map(([, trouble]) => `${planId}: ${trouble}`);
}
