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
import { createBinanceExchange } from "@quantum/exchange";
import { loadScript } from "@quantum/lua";
import type { Place } from "@quantum/service-kit";
import { fieldsOf } from "@quantum/streams";
import {
  eventually,
  type ProxyFrame,
  type ServiceProcess,
  startFaultProxy,
  type FrameAction,
} from "@quantum/harness";
import { ISSUERS, pipelineOf, type PipelineName, type Row, serviceOf } from "@quantum/topology";
import { nextProposal, planIdOf } from "../fuzz/inputs.ts";
import { unfinished } from "../groups.ts";
import { ordersByPlan, type Rig, type SimState, startRig, SYMBOLS } from "@quantum/harness/rig";

/** The watcher's own, several times a second. */
const SEEN = "halts/see_kill_switch";
const SCRIPTS = [
  ...["plans/open", "permits/issue", "permits/consume", "permits/settle_reservation"],
  ...[
    "orders/claim",
    "orders/doubt",
    "orders/settle",
    "orders/ask",
    "orders/note",
    "orders/adopt",
    "ledger/store",
    SEEN,
  ],
];
const ENVIRONMENT: Partial<Record<PipelineName, Record<string, string>>> = {
  // Permits are waited for until a killed issuer is back; an order that may have been sent is not queried for long.
  "apply-layer": { APPLY_PERMIT_WAIT_MS: "10000", APPLY_EXECUTE_TTL_MS: "1000" },
  // Its regular refresh would be no step of any plan's path, and the governor takes no snapshot older than 30 s.
  "position-brain": { P33_POLL_SEC: "15", P33_STALE_THRESHOLD_SEC: "30" },
  // Each symbol has several plans, one soon after the other.
  "portfolio-gate": { P26_COOLDOWN_SEC: "0" },
  executor: { EXECUTOR_RECV_WINDOW_MS: "400", EXECUTOR_TIMEOUT_MS: "300", EXECUTOR_ABSENCE_SEC: "1" },
};
/** Longer than an enumeration. */
const HOUR_MS = 3_600_000;
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
  /** Only these steps: questions are asked again and again, and one of them stands for all. */
  at?: readonly string[];
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
  /** Each plan's order, which was not placed, shows up once its plan has ended. The path begins there. */
  showsUp?: boolean;
}

export async function enumerateCrashPoints(
  victim: PipelineName,
  options: EnumerationOptions = {},
): Promise<Enumeration> {
  const { from, at } = options;
  const rig = await startCrashRig(victim, options);
  const enumeration: Enumeration = { points: [], missed: [], troubles: [] };
  try {
    // The first plan only ends the reads with which the services have started.
    const warmUp = await rig.live(undefined);
    const { steps, troubles } = await rig.live(undefined);
    enumeration.troubles.push(...warmUp.troubles, ...troubles);
    const path = steps.slice(from === undefined ? 0 : steps.indexOf(from));
    for (const step of path.filter((name) => at?.includes(name) ?? true)) {
      let life = await rig.live(step);
      for (let lives = 1; !life.killed && lives < LIVES_MAX; lives += 1) life = await rig.live(step);
      enumeration[life.killed ? "points" : "missed"].push(step);
      enumeration.troubles.push(...life.troubles.map((trouble) => `killed ${step}: ${trouble}`));
    }
    // What a restarted victim did after its plan was looked at.
    enumeration.troubles.push(...(await rig.allTroubles()));
  } finally {
    await rig.stop();
  }
  return enumeration;
}

async function startCrashRig(
  victimName: PipelineName,
  { fault, showsUp = false, partitions = 1 }: EnumerationOptions,
) {
  const rig = await startRig({ partitions });
  // Queries resolve what a fault leaves in doubt. An event would end it before the first of their steps.
  if (fault !== undefined)
    await postFault(rig.venueUrl, "stream-faults", { kind: "disconnect", ms: HOUR_MS });
  let victim: ServiceProcess | undefined;
  let steps: string[] = [];
  let wanted: string | undefined;
  let killed = false;
  const planIds: string[] = [];
  /** By plan id. */
  const symbols = new Map<string, string>();
  const plan = (planId: string): Plan => ({
    planId,
    rig,
    place: rig.stored.partitions.of(symbols.get(planId) ?? ""),
  });
  /** The path has begun. */
  let begun = !showsUp;

  const onFrame = (frame: ProxyFrame): FrameAction => {
    if (killed) return "drop";
    const name = stepOf(frame);
    if (name === undefined || isOfAnother(frame, planIds.at(-1))) return "pass";
    if (!begun) {
      begun = name === "after EVALSHA orders/settle";
      return "pass";
    }
    const occurrence = steps.filter((step) => step.startsWith(`${name} #`)).length + 1;
    const step = `${name} #${occurrence}`;
    steps.push(step);
    if (step !== wanted) return "pass";
    killed = true;
    void victim?.kill();
    return "drop";
  };
  const scripts = new Map(
    SCRIPTS.flatMap((name) => {
      const { lone, batch } = loadScript(name);
      return [lone, batch].map(({ sha }): [string, string] => [sha, name]);
    }),
  );
  const venuePort = Number(new URL(rig.venueUrl).port);
  const [redisProxy, venueProxy] = await Promise.all([
    startFaultProxy({ upstream: { port: rig.redis.port }, protocol: "resp", scripts, onFrame }),
    startFaultProxy({ upstream: { port: venuePort }, protocol: "http", onFrame }),
  ]);
  const { issuer }: Row = serviceOf(victimName);
  const issuers = [...new Set([...ISSUERS, ...(issuer === undefined ? [] : [issuer.name])])];
  const permits: Partial<Record<PipelineName, Record<string, string>>> = {
    "apply-layer": { APPLY_REQUIRED_PERMITS: issuers.join() },
    executor: { EXECUTOR_REQUIRED_ISSUERS: issuers.join() },
  };
  const start = (name: PipelineName) => {
    const proxied = {
      REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
      BINANCE_BASE_URL: `http://127.0.0.1:${venueProxy.port}`,
    };
    const own = { INSTANCE: `${name}-1`, ...ENVIRONMENT[name], ...permits[name] };
    return rig.start(name, name === victimName ? { ...own, ...proxied } : own);
  };
  await publishHashes(rig);
  await Promise.all(
    pipelineOf(issuers)
      .map(({ name }) => name)
      .filter((name) => name !== victimName)
      .map(start),
  );
  victim = await start(victimName);

  const resultCount = showsUp ? 2 : 1;
  const isDenied = () => killed || steps.includes("after EVALSHA orders/note #1");
  const rigOfCrash = {
    /** One plan, during which the victim is killed at the step, if that comes. */
    async live(step: string | undefined): Promise<Life> {
      const symbol = SYMBOLS[planIds.length % SYMBOLS.length] ?? "";
      const fields = nextProposal(symbol);
      const id = planIdOf(fields);
      planIds.push(id);
      symbols.set(id, symbol);
      if (fault !== undefined) await orderFault(rig.venueUrl, fault);
      [steps, wanted, begun] = [[], step, !showsUp];
      const { intake } = rig.stored;
      await intake.redis.xadd(intake.keys.streams.proposal, "*", ...Object.entries(fields).flat());
      const undisturbed = ended(plan(id), step, resultCount);
      const quiet = undisturbed.catch(() => undefined);
      if (showsUp) {
        const probe = async () => isDenied() || (await endedWithoutOrder(plan(id))) || undefined;
        const found = await eventually(probe, ENDED_MS, `the order of ${id} is denied after its plan's end`);
        // A busy machine was too slow for its permits or its claim: no order could show up.
        if (found === ENDED) {
          planIds.pop();
          return rigOfCrash.live(step);
        }
        await sendLate(plan(id));
      }
      await Promise.race([quiet, victim?.exited]);
      const life = { steps, killed };
      wanted = undefined;
      if (killed) {
        await victim?.exited;
        redisProxy.reset();
        venueProxy.reset();
        killed = false;
        victim = await start(victimName);
      }
      await (life.killed ? ended(plan(id), step, resultCount) : undisturbed);
      return { ...life, troubles: await troublesOf(plan(id), resultCount) };
    },
    allTroubles: async () =>
      (await Promise.all(planIds.map((id) => troublesOf(plan(id), resultCount)))).flat(),
    async stop(): Promise<void> {
      await rig.stop();
      await Promise.all([redisProxy.close(), venueProxy.close()]);
    },
  };
  return rigOfCrash;
}

/** `before EVALSHA orders/claim`, `after 200 POST /fapi/v1/order`; undefined for what is no step. */
function stepOf({ direction, summary }: ProxyFrame): string | undefined {
  // No plan's: upkeep of queues, the key of the account's events, and marks of the kill switch.
  if (/quantum:jobs|\/listenKey|^EVALSHA halts\//.test(summary)) return undefined;
  // Each plan has a symbol of its own, and with it a partition.
  const name = summary.replace(/^(EVALSHA \S+) .*/, "$1").replace(/\{q\d+\}:/, "");
  const writes = /^(EVALSHA|XACK|SADD|POST|\d+ POST) /.test(name);
  if (direction === "request") return writes ? `before ${name}` : undefined;
  return writes || name.startsWith("XREADGROUP ") ? `after ${name}` : undefined;
}

/** A question about the order of an earlier plan, which is queried for a day. */
function isOfAnother({ summary }: ProxyFrame, planId: string | undefined): boolean {
  return / orders\/(ask|note|adopt) /.test(summary) && !summary.endsWith(`:${planId}`);
}

/** As the publisher keeps them: P2.6 reads the volatility of every symbol there. They propose nothing. */
async function publishHashes({ client, keys }: Rig): Promise<void> {
  for (const symbol of SYMBOLS)
    await client.hset(keys.proposal(symbol), { ...nextProposal(symbol), harvest_action: "NONE" });
}

async function orderFault(venueUrl: string, kind: string): Promise<void> {
  await fetch(`${venueUrl}/sim/faults`, { method: "DELETE" });
  await postFault(venueUrl, "faults", { kind });
}

async function postFault(venueUrl: string, path: "faults" | "stream-faults", fault: object): Promise<void> {
  const answer = await fetch(`${venueUrl}/sim/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fault),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

interface Plan {
  planId: string;
  rig: Rig;
  /** The partition of its symbol. */
  place: Place;
}

interface Life {
  steps: string[];
  killed: boolean;
  troubles: string[];
}

const ENDED = "ended";

async function endedWithoutOrder({ place, planId }: Plan): Promise<typeof ENDED | undefined> {
  const { redis, keys } = place;
  const [state, reason] = await redis.hmget(keys.plan(planId), "state", "reason");
  const never = state === "BLOCKED" || (state === "NOT_PLACED" && reason !== "not_placed_by_evidence");
  return never ? ENDED : undefined;
}

const ACCOUNT = { apiKey: "sim-key", apiSecret: "sim-secret", timeoutMs: 2_000, recvWindowMs: 5_000 };

/** As a request that was under way for as long as its plan lasted. */
async function sendLate({ place, planId, rig }: Plan): Promise<void> {
  const claim = await place.redis.hgetall(place.keys.order(planId));
  const exchange = createBinanceExchange({ ...ACCOUNT, baseUrl: rig.venueUrl });
  const { outcome } = await exchange.placeReduceOnlyMarket({
    symbol: claim["symbol"] ?? "",
    side: claim["side"] === "BUY" ? "BUY" : "SELL",
    quantity: claim["quantity"] ?? "",
    clientOrderId: claim["client_order_id"] ?? "",
    timestampMs: exchange.now(),
    recvWindowMs: ACCOUNT.recvWindowMs,
  });
  if (outcome !== "answered" && outcome !== "acknowledged")
    throw new Error(`the late order of ${planId}: ${outcome}`);
}

/** @throws Error saying what has not ended */
async function ended(plan: Plan, step: string | undefined, results: number): Promise<void> {
  const { planId } = plan;
  let open: string[] = [];
  const isOver = async () => {
    open = await stillOpen(plan, results);
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
async function stillOpen({ planId, rig, place }: Plan, results: number): Promise<string[]> {
  const { intake, partitions } = rig.stored;
  const [state, left, unsettled, { positions }] = await Promise.all([
    place.redis.hget(place.keys.plan(planId), "state"),
    Promise.all([
      unfinished(intake.redis, { proposal: intake.keys.streams.proposal }),
      ...partitions.map(({ redis, keys: { streams } }) => {
        const { proposal: _, ...own } = streams;
        return unfinished(redis, own);
      }),
    ]),
    Promise.all(partitions.map(({ redis, keys }) => redis.keys(keys.unsettled("*")))),
    rig.simState() as Promise<SimState & { positions: Position[] }>,
  ]);
  const open = left
    .flat()
    .map(({ what }) => what)
    .concat(unsettled.flat());
  if (state === null || ["WAITING", "PERMITTED", "SENT", "UNKNOWN"].includes(state))
    open.push(`it is ${state}`);
  if (results > 1 && state === "NOT_PLACED") open.push("it is not corrected");
  for (const { symbol, positionAmt } of positions) {
    const { redis, keys } = partitions.of(symbol);
    const amount = await redis.hget(keys.ledger(symbol), "last_known_amt");
    if (Number(amount) !== Number(positionAmt))
      open.push(`${symbol}: ledger ${amount}, exchange ${positionAmt}`);
  }
  return open;
}

/** I1, I3, I4, and that the result says what the exchange did. */
async function troublesOf({ planId, rig, place }: Plan, resultCount: number): Promise<string[]> {
  const { redis: client, keys } = place;
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
  // One terminal result; where the order showed up, that one says NOT_PLACED, and one more corrects it.
  const last = results.at(-1);
  const outcome = last?.["outcome"];
  const isCorrected = results[0]?.["outcome"] === "NOT_PLACED" && (last?.["corrects"] ?? "") !== "";
  const handovers = spent === null ? 0 : 1;
  const checks: [boolean, string][] = [
    [results.length === resultCount, `${results.length} results`],
    [isCorrected === resultCount > 1, `it is ${isCorrected ? "" : "not "}corrected`],
    [outcome === record["state"], `its result is ${outcome} and its record ${record["state"]}`],
    [executes.length === handovers, `${executes.length} execute entries of ${handovers} spent attempts`],
    [orders === (outcome === "EXECUTED" ? 1 : 0), `${orders} orders, and it is ${outcome}`],
    // Events write 7.9 where queries write 7.90.
    [
      Number(order?.executedQty ?? "") === Number(last?.["executed_qty"] ?? ""),
      `${order?.executedQty} were executed`,
    ],
  ];
  return checks.filter(([holds]) => !holds).map(([, trouble]) => `${planId}: ${trouble}`);
}
