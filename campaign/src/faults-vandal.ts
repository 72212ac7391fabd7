/** A vandal in Redis: deletes keys and stream entries of the pipeline at random, or makes keys another type. */
import { setTimeout as delay } from "node:timers/promises";
import { ISSUERS } from "@quantum/contract";
import { isLater } from "@quantum/streams";
import type { StreamName } from "@quantum/harness";
import { Dice } from "./dice.ts";
import { anyMember } from "./faults-process.ts";
import type { FaultKind, Ground } from "./fault-kind.ts";
import { readUnique } from "./record.ts";

const STRIKES = 20;
const BETWEEN_STRIKES_MS = 20;
/** In the middle a service is stopped for so long: what it has not read yet can be taken from it. */
const STOP_MS = 400;
const STOP_AT_STRIKE = 6;
/** Plans that are under way now, or have just ended. */
const PLANS_OF_MS = 1_000;
const TRIES = 20;
const SEEDS = 2 ** 31;
/** Too small, too large, and none. */
const WRONG_SUMS = ["0", "1", "-6", "9".repeat(40), "much", ""] as const;
const STREAMS = ["proposal", "plan", "permit", "execute", "result"] as const;

export const VANDAL_FAULTS: Readonly<Record<string, FaultKind>> = {
  vandal: {
    meaning: `${STRIKES} random keys and stream entries of the pipeline are deleted, or keys made another type`,
    weight: 4,
    run: vandalise,
  },
};

async function vandalise(ground: Ground) {
  const member = anyMember(ground);
  // What there is to strike differs from run to run; the schedule must not.
  const dice = new Dice(ground.dice.between(0, SEEDS));
  const struckPlans = new Set<string>();
  const hits = [];
  for (let strike = 0; strike < STRIKES; strike += 1) {
    if (strike === STOP_AT_STRIKE) {
      member.process.pause();
      await delay(STOP_MS);
    }
    const kind = await strikeOnce({ ...ground, dice }, struckPlans);
    if (strike === 2 * STOP_AT_STRIKE) member.process.resume();
    if (kind !== undefined) hits.push({ kind: `vandal: ${kind}`, target: "redis" });
    await delay(BETWEEN_STRIKES_MS);
  }
  return hits;
}

/** @returns what was struck, undefined if nothing of the kind was there */
async function strikeOnce(ground: Ground, struckPlans: Set<string>): Promise<string | undefined> {
  const { world, dice } = ground;
  const family = dice.pick(FAMILIES);
  if (family.stream !== undefined) return strikeEntry(ground, family.stream, struckPlans);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const found = family.key(ground);
    if (found === undefined) return undefined;
    const { key, planId } = found;
    // Each plan loses one thing: no two of its keys say the same.
    if (planId !== undefined && struckPlans.has(planId)) continue;
    const isDeleted = dice.pick([true, false]);
    if ((await world.client.exists(key)) === 0) continue;
    if (family.overwrite !== undefined) {
      if (!(await family.overwrite(ground, key))) continue;
      return `${family.name} overwritten`;
    }
    if (isDeleted) await world.client.del(key);
    else await world.client.multi().del(key).lpush(key, "vandal").exec();
    if (planId !== undefined) struckPlans.add(planId);
    if (family.name === CHARGES) ground.losses.struckCharges.add(key);
    if (family.name === "claim" && planId !== undefined) ground.losses.struckClaims.add(planId);
    return `${family.name} ${isDeleted ? "deleted" : "of the wrong type"}`;
  }
  return undefined;
}

/** Of those that have been read here: what a stream told is judged by it. */
async function strikeEntry(
  ground: Ground,
  stream: StreamName,
  struckPlans: Set<string>,
): Promise<string | undefined> {
  const { world, history, losses, proposer } = ground;
  const newest = await world.client.xrevrange(world.keys.streams[stream], "+", "-", "COUNT", 3);
  const [id, flat = []] =
    newest.find(([found]) => !isLater(found, history.lastIds.get(stream) ?? "0-0")) ?? [];
  const named = stream === "proposal" ? undefined : flat[flat.indexOf("plan_id") + 1];
  if (named !== undefined && struckPlans.has(named)) return undefined;
  if (named !== undefined) struckPlans.add(named);
  if (id === undefined || (await world.client.xdel(world.keys.streams[stream], id)) === 0) return undefined;
  if (stream === "proposal") {
    const proposed = [...history.proposalIds];
    const [planId] = proposed.findLast(([, proposal]) => readUnique(proposal).streamId === id) ?? [];
    if (planId !== undefined) {
      losses.struckProposals.add(planId);
      // It may never have been read by the apply-layer: then nothing comes of it.
      history.forgotten.add(planId);
      proposer.abandon(planId);
    }
  }
  return `entry of ${stream} deleted`;
}

interface Family {
  name: string;
  stream?: StreamName;
  /** Instead of being deleted. @returns whether there was anything to write over */
  overwrite?: (ground: Ground, key: string) => Promise<boolean>;
  key: (ground: Ground) => { key: string; planId?: string } | undefined;
}

const ofPlan = (name: string, keyOf: (ground: Ground, planId: string) => string): Family => ({
  name,
  key: (ground) => {
    const plans = [...ground.proposer.since(performance.now() - PLANS_OF_MS)];
    if (plans.length === 0) return undefined;
    const [planId] = ground.dice.pick(plans);
    return { key: keyOf(ground, planId), planId };
  },
});
const ofSymbol = (name: string, keyOf: (ground: Ground, symbol: string) => string): Family => ({
  name,
  key: (ground) => ({ key: keyOf(ground, ground.dice.pick(ground.world.symbols)) }),
});
const shared = (name: string, keyOf: (ground: Ground) => string): Family => ({
  name,
  key: (ground) => ({ key: keyOf(ground) }),
});

/** Whether the charges that these totals sum were taken earlier in this run. */
function isStruckCharges({ world, losses }: Ground, totals: string): boolean {
  return ISSUERS.some((issuer) =>
    world.symbols.some((symbol) => {
      const reservations = world.keys.reservations(issuer, symbol);
      return reservations.totals === totals && losses.struckCharges.has(reservations.charges);
    }),
  );
}

const CHARGES = "reservations (charges)";
const FAMILIES: readonly Family[] = [
  ofPlan("record", ({ world }, planId) => world.keys.plan(planId)),
  ofPlan("dedupe mark", ({ world }, planId) => world.keys.dedupe(planId)),
  ofPlan("permit", ({ world, dice }, planId) => world.keys.permit(dice.pick(ISSUERS), planId)),
  ofPlan("denial", ({ world }, planId) => world.keys.block("governor", planId)),
  ofPlan("spent mark", ({ world }, planId) => world.keys.spent(planId)),
  ofPlan("claim", ({ world }, planId) => world.keys.order(planId)),
  ofSymbol("waiting index", ({ world }, symbol) => world.keys.waiting(symbol)),
  ofSymbol("unsettled index", ({ world }, symbol) => world.keys.unsettled(symbol)),
  ofSymbol("index of doubts", ({ world }, symbol) => world.keys.unknown(symbol)),
  ofSymbol("index of absent orders", ({ world }, symbol) => world.keys.absent(symbol)),
  ofSymbol("snapshot", ({ world }, symbol) => world.keys.snapshot(symbol)),
  ofSymbol("ledger", ({ world }, symbol) => world.keys.ledger(symbol)),
  ...(["open", "expiry", "totals", "executions", "charges"] as const).map((part) =>
    ofSymbol(`reservations (${part})`, ({ world, dice }, symbol) => {
      const { [part]: key } = world.keys.reservations(dice.pick(ISSUERS), symbol);
      return key;
    }),
  ),
  {
    ...ofSymbol("a sum", ({ world, dice }, symbol) => {
      return world.keys.reservations(dice.pick(ISSUERS), symbol).totals;
    }),
    overwrite: async (ground, key) => {
      const { world, dice } = ground;
      const fields: string[] = await world.client.hkeys(key).catch(() => []);
      // Without its charges nothing tells what a charged sum was: a larger one stands until midnight.
      const sums = isStruckCharges(ground, key)
        ? fields.filter((field) => !field.startsWith("charged:"))
        : fields;
      if (sums.length === 0) return false;
      await world.client.hset(key, dice.pick(sums.toSorted()), dice.pick(WRONG_SUMS));
      return true;
    },
  },
  shared("symbols of waiting plans", ({ world }) => world.keys.waitingSymbols),
  shared("symbols of orders", ({ world }) => world.keys.orderSymbols),
  shared("hand-overs", ({ world }) => world.keys.handedOver),
  shared("claims of absent orders", ({ world }) => world.keys.absentClaims),
  shared("refresh turn", ({ world }) => world.keys.refreshTurn),
  shared("order epoch", ({ world }) => world.keys.orderEpoch),
  ...STREAMS.map((stream): Family => ({ name: stream, stream, key: () => undefined })),
];
