/**
 * A vandal that attacks whole streams: deletes them, changes their type for a while, destroys or moves their consumer
 * groups, and changes the kill switch. This process has read every entry before, so the checks use all of them. Entries
 * that were deleted before their consumers read them end as the table of states says.
 */
import { setTimeout as delay } from "node:timers/promises";
import { wholeMs } from "@quantum/redis";
import { groupsOf } from "@quantum/streams";
import type { FaultKind, FaultContext, Hit } from "./fault-kind.ts";
import { standStill } from "./faults-redis.ts";

/** Long enough that plans wait in vain, and that `/readyz` is checked. */
const MISTYPED_MS = { low: 300, high: 2_000 } as const;
const HALTED_MS = { low: 100, high: 1_000 } as const;
const HOUR_MS = 3_600_000;
const JUNK = ["1", "maybe", "", "\u0000", '{"on": false}'] as const;

export const STREAM_FAULTS: Readonly<Record<string, FaultKind>> = {
  "vandal-streams": {
    meaning: "a whole stream is deleted or changed to another type, or its group is destroyed or moved",
    weight: 2,
    run: async (context) => {
      const { system, random } = context;
      const [name, stream] = random.pick(Object.entries(system.keys.streams));
      const how = random.pick(["deleted", "of the wrong type", "group destroyed", "group moved"] as const);
      const hit: Hit = { kind: `vandal: stream ${how}`, target: name };
      if (how === "deleted") await deleteStream(context, name, stream);
      else if (how === "of the wrong type") await mistype(context, name, stream);
      else hit.target = await strikeGroup(context, { name, stream, isMoved: how === "group moved" });
      return [hit];
    },
  },
  "kill-switch": {
    meaning: "the kill switch is set to junk or another type, and deleted",
    weight: 1,
    run: async (context) => {
      const { random } = context;
      const type = random.pick(["string", "list"] as const);
      await halt(context, type === "list" ? undefined : random.pick(JUNK));
      return [{ kind: "kill-switch", target: type === "list" ? "of the wrong type" : "on, and deleted" }];
    },
  },
};

async function deleteStream(context: FaultContext, name: string, stream: string): Promise<void> {
  await standStill(context);
  await context.system.client.del(stream);
  readFromStart(context, name);
  proceed(context);
}

/** Reads and writes of the stream fail until the vandal's key is deleted. */
async function mistype(context: FaultContext, name: string, stream: string): Promise<void> {
  const { client } = context.system;
  const heldMs = context.random.between(MISTYPED_MS.low, MISTYPED_MS.high);
  await standStill(context);
  await client.multi().del(stream).lpush(stream, "vandal").exec();
  readFromStart(context, name);
  proceed(context);
  await delay(heldMs);
  await client.del(stream);
}

/**
 * The new stream's ids are smaller if Redis's clock was ahead. Entries that waited in the old one may never have been
 * read.
 */
function readFromStart(context: FaultContext, name: string): void {
  context.tail.rewind(new Map([...context.history.lastIds].filter(([ref]) => ref !== `${name}:0`)));
  if (name === "proposal") abandonUnopened(context);
}

function proceed({ system, proposer }: FaultContext): void {
  for (const { redisProxy } of system.members) redisProxy?.heal();
  proposer.resume();
}

function abandonUnopened({ history, losses, proposer }: FaultContext): void {
  const opened = new Set(history.plans.map(({ planId }) => planId));
  for (const planId of history.open.difference(opened)) {
    losses.struckProposals.add(planId);
    history.forgotten.add(planId);
    proposer.abandon(planId);
  }
}

async function strikeGroup(
  context: FaultContext,
  { name, stream, isMoved }: { name: string; stream: string; isMoved: boolean },
): Promise<string> {
  const { system, random } = context;
  const { client } = system;
  const to = random.pick(["0", "$", "future"] as const);
  const groups = (await groupsOf(client, stream).catch(() => [])).map(({ name: group }) => group);
  if (groups.length === 0) return `${name}, which has none`;
  const group = random.pick(groups.toSorted());
  if (!isMoved) {
    await client.xgroup("DESTROY", stream, group);
    return `${group} of ${name}`;
  }
  await standStill(context);
  await client.xgroup("SETID", stream, group, to === "future" ? `${Date.now() + HOUR_MS}-0` : to);
  if (name === "proposal" && to !== "0") abandonUnopened(context);
  proceed(context);
  return `${group} of ${name} to ${to}`;
}

/** @param value undefined for a list */
async function halt({ system, random, halts }: FaultContext, value: string | undefined): Promise<void> {
  const { client, keys } = system;
  const heldMs = random.between(HALTED_MS.low, HALTED_MS.high);
  const begin = client.multi().del(keys.killSwitch);
  if (value === undefined) begin.lpush(keys.killSwitch, "vandal");
  else begin.set(keys.killSwitch, value);
  const began = await begin.time().exec();
  await delay(heldMs);
  const ended = await client.multi().time().del(keys.killSwitch).exec();
  halts.push({ fromMs: timeOf(began?.at(-1)), toMs: timeOf(ended?.[0]) });
}

/** Of a transaction's reply to TIME, in ms. */
export function timeOf(reply: [Error | null, unknown] | undefined): number {
  return wholeMs((reply?.[1] ?? []) as string[]);
}
