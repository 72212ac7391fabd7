/**
 * Upgrades under load: the services of an earlier release are replaced by today's and back, one after another, while plans
 * flow. No order is doubled and no plan is lost; what an upgrade costs are plans that end BLOCKED.
 */
import { flatFields, parseProposal, planId, resultEntry } from "@quantum/contract";
import { addedAtMs, parseEntries } from "@quantum/streams";
import {
  checkInvariants,
  collectEvidence,
  drain,
  eventually,
  History,
  patienceMs,
  type ResultRecord,
  type ServiceProcess,
  switchStrategy,
  StreamTail,
} from "@quantum/harness";
import { Big } from "big.js";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { earlierRelease, whyAbsent } from "./earlier-release.ts";
import { type EarlierRelease, type Rig, startRig, SYMBOLS } from "@quantum/harness/rig";

const EARLIER = "14fd32e";
const LACKS = [
  "EXECUTOR_ABSENCE_SEC",
  "EXECUTOR_ISSUER_KEYS_FILE",
  "EXECUTOR_MODE",
  "EXECUTOR_OPERATOR_KEYS_FILE",
  "EXECUTOR_STATE_DIR",
  "EXECUTOR_UNSIGNED_ISSUERS",
  "GOV_SIGNING_KEY_FILE",
  "P33_SIGNING_KEY_FILE",
];
/** Until a send window has ended, no answer proves that there is no order. */
const BRIEF_WINDOWS = { EXECUTOR_RECV_WINDOW_MS: "2000", EXECUTOR_TIMEOUT_MS: "1000" };
/** Of today's executor until the last service of the earlier release is gone: those sign nothing. */
const UNSIGNED = { EXECUTOR_UNSIGNED_ISSUERS: "governor,p33" };

/** In which they are upgraded; they are rolled back in the opposite order. */
const SERVICES = ["executor", "position-brain", "governor", "apply-layer"] as const;
type Service = (typeof SERVICES)[number];
type Version = "earlier" | "today";

/** A plan that no wake-up has woken is looked at then. */
const HALF_THE_WAIT_MS = 600;
/** So many plans end between two steps. */
const PLANS_A_STEP = 40;
const STEP_MS = 20_000;
const DRAIN_MS = 20_000;

/** Why plans may end without an order meanwhile; docs/deployment.md says what each means. */
const COSTS = [
  /^BLOCKED missing_(governor|p33|both)$/,
  /^BLOCKED deadline_passed$/,
  /^BLOCKED p33_permit_denied (no_exchange_snapshot|stale_exchange_state|order_unresolved|quantity_promised|no_position)$/,
  // The governor's word for no_position and no_exchange_snapshot, where it answers before P3.3.
  /^BLOCKED governor_permit_denied position_fetch_failed$/,
  /^NOT_PLACED (not_placed_by_evidence|execute_expired)$/,
  // It reached the exchange too late, on a busy machine.
  /^NOT_PLACED execute_expired .*\(-1021\)$/,
];

let rig: Rig;
let release: EarlierRelease;
let flow: Awaited<ReturnType<typeof startFlow>>;

const absent = await whyAbsent(EARLIER);
if (absent !== undefined) console.warn(`The upgrade tests are skipped: ${absent}`);

/** What flows through the pipeline, and which version of each service runs. */
async function startFlow() {
  const running = new Map<Service, ServiceProcess[]>();
  const history = new History();
  const tail = new StreamTail(rig.stored, history);
  const start = (service: Service, version: Version, instance: string = service) => {
    const env = { INSTANCE: instance, ...(service === "executor" ? { ...BRIEF_WINDOWS, ...UNSIGNED } : {}) };
    return version === "today" ? rig.start(service, env) : rig.startEarlier(release, service, env);
  };
  await Promise.all(SERVICES.map(async (service) => running.set(service, [await start(service, "earlier")])));
  const feed = await rig.start("harvest-feed", { FEED_RATE: "60", FEED_SEED: "5" });
  let counted = 0;
  const endingOf = ({ outcome, reason, detail }: ResultRecord) =>
    [outcome, reason, detail].filter((word) => word !== "").join(" ");
  return {
    history,
    /** Waits until so many more plans have ended. */
    async more(plans = PLANS_A_STEP): Promise<void> {
      const until = history.ended.size + plans;
      await eventually(
        async () => (history.ended.size >= until ? true : undefined),
        STEP_MS,
        `${until} plans have ended`,
      );
    },
    /** As the installer does it: the one ends, the other starts. */
    async replace(service: Service, version: Version): Promise<void> {
      await Promise.all((running.get(service) ?? []).map((process) => process.stop()));
      running.set(service, [await start(service, version)]);
    },
    /** The other is started first, and some plans have both. */
    async replaceBeside(service: Service, version: Version): Promise<void> {
      const before = running.get(service) ?? [];
      const process = await start(service, version, `${service}-${version}`);
      running.set(service, [...before, process]);
      await this.more();
      await Promise.all(before.map((one) => one.stop()));
      running.set(service, [process]);
    },
    /** The plans that have ended since the last call, by how. */
    tally(): Record<string, number> {
      const tally: Record<string, number> = {};
      for (const result of history.results.slice(counted)) {
        const isLate = result.executed && (result.waitMs ?? 0) >= HALF_THE_WAIT_MS;
        const name = endingOf(result) + (isLate ? " after half the wait" : "");
        tally[name] = (tally[name] ?? 0) + 1;
      }
      counted = history.results.length;
      return tally;
    },
    /** Ends the load. @returns what is still under way, breaks an invariant, was charged wrongly or ended unexpectedly */
    async broken(): Promise<string[]> {
      await feed.stop();
      await switchStrategy(rig.venueUrl, false);
      const { stored: redis, venueUrl } = rig;
      const underWay = await drain({ redis, history, tail, deadlineMs: patienceMs(DRAIN_MS) });
      const sources = {
        redis,
        exchangeUrl: venueUrl,
        history,
        requiredIssuers: ["governor", "p33"],
        // The earlier release's issuers sign nothing.
        keysFolder: undefined,
        halts: [],
      };
      // The ledger follows the last fill with the next refresh.
      const findings = await eventually(
        async () => {
          const found = checkInvariants(await collectEvidence(sources));
          return found.I7.violations.length === 0 ? found : undefined;
        },
        10_000,
        "the ledgers equal the fills",
      );
      const found = Object.entries(findings).flatMap(([name, { violations, checked }]) =>
        (checked === 0 ? ["nothing to check it by"] : violations).map((sentence) => `${name}: ${sentence}`),
      );
      const unexpected = history.results
        .filter((result) => !result.executed)
        .map(endingOf)
        .filter((ending) => !COSTS.some((cost) => cost.test(ending)));
      return [...underWay, ...found, ...(await wronglyCharged()), ...unexpected];
    },
    stop: () => tail.stop(),
  };
}

const DAY_MS = 86_400_000;

/** Where the day's sum of the governor is not what was executed: its limit would allow too much, or too little. */
async function wronglyCharged(): Promise<string[]> {
  const { client, keys } = rig;
  const entries = parseEntries(await client.xrange(keys.streams.result, "-", "+"));
  const days = new Set(entries.map(({ id }) => Math.floor(addedAtMs(id) / DAY_MS)));
  // Midnight has begun a new sum meanwhile.
  if (days.size > 1) return [];
  const executed = new Map<string, Big>(SYMBOLS.map((symbol) => [symbol, Big(0)]));
  for (const { fields } of entries) {
    const { symbol, outcome, executed_qty: qty, avg_price: price } = resultEntry.parse(fields);
    const units = outcome === "EXECUTED" ? Big(qty).times(price).times("1e8").round(0, Big.roundUp) : Big(0);
    executed.set(symbol, units.plus(executed.get(symbol) ?? 0));
  }
  const charged = await Promise.all(
    SYMBOLS.map((symbol) => client.hget(keys.reservations("governor", symbol).totals, "charged:notional")),
  );
  return SYMBOLS.flatMap((symbol, index) => {
    const [told, sum] = [executed.get(symbol) ?? Big(0), charged[index] ?? "0"];
    return told.eq(sum) ? [] : [`${symbol}: charged ${sum}, executed ${told.toFixed()}`];
  });
}

/** How the plans have ended since the last time, for whoever wants to know what an upgrade costs. */
function show(what: string): void {
  console.info(`${what}: ${JSON.stringify(flow.tally())}`);
}

async function sim(
  method: "POST" | "DELETE",
  body?: object,
  path: "faults" | "stream-faults" = "faults",
): Promise<void> {
  const response = await fetch(`${rig.venueUrl}/sim/${path}`, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`/sim/${path} answered ${response.status}`);
}

async function ordersInDoubt(): Promise<number> {
  const counts = await Promise.all(SYMBOLS.map((symbol) => rig.client.scard(rig.keys.unknown(symbol))));
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * An order of each of so many symbols is answered by 503, executed or not, none of their queries is answered, and no event
 * arrives. The other symbols go on: an order that is only acknowledged is queried.
 */
async function bringIntoDoubt(orders: number): Promise<void> {
  await sim("POST", { kind: "disconnect", ms: 600_000 }, "stream-faults");
  for (const [index, symbol] of SYMBOLS.slice(0, orders).entries()) {
    await sim("POST", { kind: "503_before", path: "GET /fapi/v1/order", symbol, count: 100_000 });
    await sim("POST", { kind: index % 2 === 0 ? "503_after" : "503_before", symbol });
  }
  await eventually(
    async () => ((await ordersInDoubt()) >= orders ? true : undefined),
    STEP_MS,
    `${orders} orders are in doubt`,
  );
}

async function endOfDoubt(): Promise<void> {
  await sim("DELETE");
  await sim("DELETE", undefined, "stream-faults");
  await eventually(
    async () => ((await ordersInDoubt()) === 0 ? true : undefined),
    30_000,
    "no order is in doubt",
  );
}

/** As the operators' reset does, for one plan. */
async function forget(plan: string): Promise<void> {
  const { client, keys } = rig;
  await client.del(keys.plan(plan), keys.dedupe(plan), keys.published(plan));
}

/** Publishes the plan's proposal once more. */
async function proposeAgain(plan: string): Promise<void> {
  const { client, keys } = rig;
  const entries = parseEntries(await client.xrange(keys.streams.proposal, "-", "+"));
  const found = entries.find(({ fields }) => planOf(fields) === plan);
  if (found === undefined) throw new Error(`plan ${plan} was never proposed`);
  await client.xadd(keys.streams.proposal, "*", ...flatFields(found.fields));
}

function planOf(fields: Record<string, string>): string | undefined {
  const parsed = parseProposal(fields["symbol"] ?? "", fields);
  return parsed.ok ? planId(parsed.proposal) : undefined;
}

describe.skipIf(absent !== undefined)(`a pipeline of ${EARLIER}, upgraded while plans flow,`, () => {
  beforeAll(async () => {
    release = { folder: await earlierRelease(EARLIER), lacks: LACKS };
  });
  beforeEach(async () => {
    rig = await startRig();
    flow = await startFlow();
  });
  afterEach(async () => {
    await flow.stop();
    await rig.stop();
  });

  for (const service of SERVICES) {
    it(`keeps every invariant while its ${service} is replaced by today's, and back`, async () => {
      await flow.more();
      show("before");
      await flow.replace(service, "today");
      await flow.more();
      show(`${service}: today`);
      await flow.replaceBeside(service, "earlier");
      await flow.more();
      show(`${service}: earlier, side by side at first`);
      expect(await flow.broken()).toEqual([]);
      show("at the end");
    });
  }

  it("keeps every invariant while all are upgraded, and rolled back in the opposite order", async () => {
    for (const service of SERVICES) {
      await flow.replace(service, "today");
      await flow.more();
      show(`${service}: today`);
    }
    await eventually(
      async () => ((await rig.client.hlen(rig.keys.handedOver)) < SYMBOLS.length ? true : undefined),
      10_000,
      "no handover is kept of an order that has its outcome",
    );
    for (const service of SERVICES.toReversed()) {
      await flow.replace(service, "earlier");
      await flow.more();
      show(`${service}: earlier`);
    }
    expect(await flow.broken()).toEqual([]);
    show("at the end");
  });

  it("settles the orders that are in doubt while the executor is replaced, and replaced back", async () => {
    await bringIntoDoubt(4);
    await flow.replace("executor", "today");
    await endOfDoubt();
    await flow.more();
    show("executor: today, orders in doubt");
    await bringIntoDoubt(4);
    await flow.replaceBeside("executor", "earlier");
    await endOfDoubt();
    await flow.more();
    show("executor: earlier, side by side at first, orders in doubt");
    expect(await flow.broken()).toEqual([]);
    show("at the end");
  });

  it("opens no plan again whose order today's executor ended, once the earlier services are back", async () => {
    await flow.replace("executor", "today");
    await sim("POST", { kind: "503_before" });
    const { planId: plan } = await eventually(
      async () => flow.history.results.find(({ reason }) => reason === "not_placed_by_evidence"),
      STEP_MS,
      "an order ends by evidence",
    );
    await flow.replace("executor", "earlier");
    await forget(plan);
    await proposeAgain(plan);
    await flow.more();
    expect(await flow.broken()).toEqual([]);
    expect(flow.history.plans.filter((published) => published.planId === plan)).toHaveLength(1);
  });
});
