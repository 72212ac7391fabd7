/** A vandal in Redis: deletes random keys and stream entries of the pipeline, or changes keys' types. */
import { setTimeout as delay } from "node:timers/promises";
import { isLater } from "@quantum/streams";
import { type StreamName, streamRef } from "@quantum/harness";
import { RandomChoices } from "./random-choices.ts";
import { anyMember } from "./faults-process.ts";
import type { FaultKind, FaultContext } from "./fault-kind.ts";
import { readUnique } from "./record.ts";

const STRIKES = 20;
const BETWEEN_STRIKES_MS = 20;
/** Half-way, a service is stopped for this long, so that entries it has not read yet can be deleted. */
const STOP_MS = 400;
const STOP_AT_STRIKE = 6;
/** Plans that are in progress or have just ended. */
const PLANS_OF_MS = 1_000;
const TRIES = 20;
const SEEDS = 2 ** 31;
/** Too small, too large, and not a number. */
const WRONG_SUMS = ["0", "1", "-6", "9".repeat(40), "much", ""] as const;
const STREAMS = ["proposal", "plan", "permit", "execute", "result"] as const;

export const VANDAL_FAULTS: Readonly<Record<string, FaultKind>> = {
  vandal: {
    meaning: `${STRIKES} random keys and stream entries of the pipeline are deleted, or keys changed to another type`,
    weight: 4,
    run: vandalise,
  },
};

async function vandalise(context: FaultContext) {
  const member = anyMember(context);
  // What can be struck differs from run to run, but the schedule must not.
  const random = new RandomChoices(context.random.between(0, SEEDS));
  const struckPlans = new Set<string>();
  const hits = [];
  for (let strike = 0; strike < STRIKES; strike += 1) {
    if (strike === STOP_AT_STRIKE) {
      member.process.pause();
      await delay(STOP_MS);
    }
    const kind = await strikeOnce({ ...context, random }, struckPlans);
    if (strike === 2 * STOP_AT_STRIKE) member.process.resume();
    if (kind !== undefined) hits.push({ kind: `vandal: ${kind}`, target: "redis" });
    await delay(BETWEEN_STRIKES_MS);
  }
  return hits;
}

/** @returns what was struck; undefined if there was nothing of that kind */
async function strikeOnce(context: FaultContext, struckPlans: Set<string>): Promise<string | undefined> {
  const { system, random } = context;
  const family = random.pick(FAMILIES);
  if (family.stream !== undefined) return strikeEntry(context, family.stream, struckPlans);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const found = family.key(context);
    if (found === undefined) return undefined;
    const { key, planId } = found;
    // Each plan loses only one thing, because its keys are each other's second source.
    if (planId !== undefined && struckPlans.has(planId)) continue;
    const isDeleted = random.pick([true, false]);
    if ((await system.client.exists(key)) === 0) continue;
    if (family.overwrite !== undefined) {
      if (!(await family.overwrite(context, key))) continue;
      return `${family.name} overwritten`;
    }
    if (isDeleted) await system.client.del(key);
    else await system.client.multi().del(key).lpush(key, "vandal").exec();
    if (planId !== undefined) struckPlans.add(planId);
    if (family.name === CHARGES) context.losses.struckCharges.add(key);
    if (family.name === "claim" && planId !== undefined) context.losses.struckClaims.add(planId);
    return `${family.name} ${isDeleted ? "deleted" : "of the wrong type"}`;
  }
  return undefined;
}

/** Only strikes entries that this process has read, because the checks need them. */
async function strikeEntry(
  context: FaultContext,
  stream: StreamName,
  struckPlans: Set<string>,
): Promise<string | undefined> {
  const { system, history, losses, proposer } = context;
  const newest = await system.client.xrevrange(system.keys.streams[stream], "+", "-", "COUNT", 3);
  const [id, flat = []] =
    newest.find(([found]) => !isLater(found, history.lastIds.get(streamRef(stream, 0)) ?? "0-0")) ?? [];
  const named = stream === "proposal" ? undefined : flat[flat.indexOf("plan_id") + 1];
  if (named !== undefined && struckPlans.has(named)) return undefined;
  if (named !== undefined) struckPlans.add(named);
  if (id === undefined || (await system.client.xdel(system.keys.streams[stream], id)) === 0) return undefined;
  if (stream === "proposal") {
    const proposed = [...history.proposalIds];
    const [planId] = proposed.findLast(([, proposal]) => readUnique(proposal).streamId === id) ?? [];
    if (planId !== undefined) {
      losses.struckProposals.add(planId);
      // The apply-layer may not have read it yet. Then it never becomes a plan.
      history.forgotten.add(planId);
      proposer.abandon(planId);
    }
  }
  return `entry of ${stream} deleted`;
}

interface Family {
  name: string;
  stream?: StreamName;
  /**
   * Overwrites the key instead of deleting it.
   * @returns whether there was something to overwrite
   */
  overwrite?: (context: FaultContext, key: string) => Promise<boolean>;
  key: (context: FaultContext) => { key: string; planId?: string } | undefined;
}

const ofPlan = (name: string, keyOf: (context: FaultContext, planId: string) => string): Family => ({
  name,
  key: (context) => {
    const plans = [...context.proposer.since(performance.now() - PLANS_OF_MS)];
    if (plans.length === 0) return undefined;
    const [planId] = context.random.pick(plans);
    return { key: keyOf(context, planId), planId };
  },
});
const ofSymbol = (name: string, keyOf: (context: FaultContext, symbol: string) => string): Family => ({
  name,
  key: (context) => ({ key: keyOf(context, context.random.pick(context.system.symbols)) }),
});
const shared = (name: string, keyOf: (context: FaultContext) => string): Family => ({
  name,
  key: (context) => ({ key: keyOf(context) }),
});

/** Whether this run has already deleted the charges that these totals add up. */
function isStruckCharges({ system, losses }: FaultContext, totals: string): boolean {
  return system.issuers.some((issuer) =>
    system.symbols.some((symbol) => {
      const reservations = system.keys.reservations(issuer, symbol);
      return reservations.totals === totals && losses.struckCharges.has(reservations.charges);
    }),
  );
}

const CHARGES = "reservations (charges)";
/** EXCHANGE_EGRESS of the services here. */
const EGRESS = "default";
const FAMILIES: readonly Family[] = [
  ofPlan("record", ({ system }, planId) => system.keys.plan(planId)),
  ofPlan("dedupe mark", ({ system }, planId) => system.keys.dedupe(planId)),
  ofPlan("permit", ({ system, random }, planId) => system.keys.permit(random.pick(system.issuers), planId)),
  ofPlan("denial", ({ system }, planId) => system.keys.block("governor", planId)),
  ofPlan("spent mark", ({ system }, planId) => system.keys.spent(planId)),
  ofPlan("claim", ({ system }, planId) => system.keys.order(planId)),
  ofSymbol("waiting index", ({ system }, symbol) => system.keys.waiting(symbol)),
  ofSymbol("unsettled index", ({ system }, symbol) => system.keys.unsettled(symbol)),
  ofSymbol("index of doubts", ({ system }, symbol) => system.keys.unknown(symbol)),
  ofSymbol("index of absent orders", ({ system }, symbol) => system.keys.absent(symbol)),
  ofSymbol("snapshot", ({ system }, symbol) => system.keys.snapshot(symbol)),
  ofSymbol("ledger", ({ system }, symbol) => system.keys.ledger(symbol)),
  ofSymbol("wanted close", ({ system }, symbol) => system.keys.closeWanted(symbol)),
  ...(["open", "expiry", "totals", "executions", "charges"] as const).map((part) =>
    ofSymbol(`reservations (${part})`, ({ system, random }, symbol) => {
      const { [part]: key } = system.keys.reservations(random.pick(system.issuers), symbol);
      return key;
    }),
  ),
  {
    ...ofSymbol("a sum", ({ system, random }, symbol) => {
      return system.keys.reservations(random.pick(system.issuers), symbol).totals;
    }),
    overwrite: async (context, key) => {
      const { system, random } = context;
      const fields: string[] = await system.client.hkeys(key).catch(() => []);
      // If the charges are gone, nothing shows the right sum; a larger one would stay until midnight.
      const sums = isStruckCharges(context, key)
        ? fields.filter((field) => !field.startsWith("charged:"))
        : fields;
      if (sums.length === 0) return false;
      await system.client.hset(key, random.pick(sums.toSorted()), random.pick(WRONG_SUMS));
      return true;
    },
  },
  shared("symbols of waiting plans", ({ system }) => system.keys.waitingSymbols),
  shared("symbols of orders", ({ system }) => system.keys.orderSymbols),
  shared("handovers", ({ system }) => system.keys.handedOver),
  shared("claims of absent orders", ({ system }) => system.keys.absentClaims),
  shared("refresh turn", ({ system }) => system.keys.refreshTurn),
  shared("order epoch", ({ system }) => system.keys.orderEpoch),
  shared("owner of the orders", ({ system }) => system.keys.orderOwner),
  shared("booker of the events", ({ system }) => system.keys.booker),
  shared("pause of requests", ({ system }) => system.keys.exchangePause("requests")),
  shared("budget of requests", ({ system }) => system.keys.exchangeBudget("weight_1m", EGRESS)),
  ...STREAMS.map((stream): Family => ({ name: stream, stream, key: () => undefined })),
];
