/** Detects the end of a run: plans have ended, and no consumer group has work left. */
import { setTimeout as delay } from "node:timers/promises";
import { dispositionOf, type RedisClient } from "@quantum/redis";
import { groupsOf } from "@quantum/streams";
import type { PipelineRedis } from "../pipeline-redis.ts";
import type { History } from "./history.ts";
import type { StreamTail } from "./stream-tail.ts";

const LOOK_MS = 50;
/** If no plan ends for this long, none will. */
export const STUCK_MS = 30_000;

export interface EndOptions {
  history: History;
  isDone: () => boolean;
  /** Called at each check. */
  onLook: () => void;
  /** How long to wait without any plan ending. */
  stuckMs: number;
  signal: AbortSignal;
}

/** Waits until the run is done, is interrupted, or no more plans end. */
export async function waitForEnd(options: EndOptions): Promise<"done" | "interrupted" | "stuck"> {
  const { history, isDone, onLook, stuckMs, signal } = options;
  let endedBefore = -1;
  let movedAt = performance.now();
  for (;;) {
    onLook();
    if (isDone()) return "done";
    if (signal.aborted) return "interrupted";
    const now = performance.now();
    if (history.ended.size !== endedBefore) {
      endedBefore = history.ended.size;
      movedAt = now;
    }
    if (now - movedAt > stuckMs) return "stuck";
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

export interface DrainOptions {
  redis: Pick<PipelineRedis, "intake" | "partitions">;
  history: History;
  tail: StreamTail;
  deadlineMs: number;
}

/** @returns what is still in progress at the deadline, one sentence each; empty if nothing is */
export async function drain(options: DrainOptions): Promise<string[]> {
  const deadline = performance.now() + options.deadlineMs;
  for (;;) {
    const underWay = await lookUnderWay(options).catch((error: unknown) => {
      // A connection may still be on its way to another master, or the master not be back.
      if (dispositionOf(error).kind === "passes")
        return [`Redis does not answer: ${(error as Error).message}`];
      throw error;
    });
    if (underWay.length === 0 || performance.now() > deadline) return underWay;
    await delay(LOOK_MS);
  }
}

async function lookUnderWay({ redis, history, tail }: DrainOptions): Promise<string[]> {
  const { intake, partitions } = redis;
  const underWay = await busyGroups(intake.redis, intake.keys.streams.proposal);
  for (const partition of partitions.all) {
    const { plan, permit, execute, result } = partition.keys.streams;
    for (const stream of [plan, permit, execute, result])
      underWay.push(...(await busyGroups(partition.redis, stream)));
  }
  if (!(await tail.caughtUp())) underWay.push("the streams have not been read to the end");
  // Checked last: only a tail that has caught up knows every plan.
  if (history.open.size > 0) underWay.push(`${history.open.size} plans have not ended`);
  const withoutResult = history.executes.filter(({ attempt }) => !history.ended.has(attempt)).length;
  if (withoutResult > 0) underWay.push(`${withoutResult} orders are not settled`);
  return underWay;
}

/** Groups with entries to read or to acknowledge. */
async function busyGroups(redis: RedisClient, stream: string): Promise<string[]> {
  if ((await redis.exists(stream)) === 0) return [];
  const groups = await groupsOf(redis, stream);
  const [newest] = (await redis.xrevrange(stream, "+", "-", "COUNT", 1)) as [string, string[]][];
  return groups.flatMap(({ name, pending, lastDeliveredId }) => {
    // Redis does not always know the lag, but the last delivered id shows whether there is one.
    const behind = newest !== undefined && lastDeliveredId !== newest[0];
    if (pending === 0 && !behind) return [];
    return [`group ${name} of ${stream}: ${pending} pending${behind ? ", not read to its end" : ""}`];
  });
}
