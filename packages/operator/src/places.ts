/** What several partitions are asked together, where only a symbol tells which one has the answer. */
import { dispositionOf, serverOf } from "@quantum/redis";
import type { Partition } from "@quantum/service-kit";
import type { Access } from "./access.ts";
import type { Place } from "./place.ts";

/** A partition that does not answer. */
export interface Silence {
  partition: number;
  /** Redis's or the connection's words. */
  problem: string;
}

export interface Answers<T> {
  /** In the order of the partitions that answer. */
  told: readonly { partition: Partition; answer: T }[];
  silent: readonly Silence[];
}

/**
 * Asks all partitions at once.
 * @throws what a partition answered with an error, and what they failed with if none answers: unreadable is not empty
 */
export async function askAll<T>(
  { partitions }: Access,
  ask: (partition: Partition) => Promise<T>,
): Promise<Answers<T>> {
  const told: { partition: Partition; answer: T }[] = [];
  const silent: Silence[] = [];
  const asked = await Promise.allSettled(partitions.map(ask));
  for (const [number, outcome] of asked.entries()) {
    const partition = partitions.all[number] ?? partitions.account;
    if (outcome.status === "fulfilled") told.push({ partition, answer: outcome.value });
    else if (dispositionOf(outcome.reason).kind !== "passes") throw outcome.reason;
    else silent.push({ partition: number, problem: (outcome.reason as Error).message });
  }
  const failed = asked.find(({ status }) => status === "rejected");
  if (told.length === 0 && failed?.status === "rejected") throw failed.reason;
  return { told, silent };
}

/** "partition 3 does not answer: Connection is closed." */
export function silenceText({ partition, problem }: Silence): string {
  return `partition ${partition} does not answer: ${problem}`;
}

/** Where dead letters are kept, and the audit: the partitions and, where there are several, the intake. */
export interface NamedPlace extends Place {
  /** In ids of a list's rows; "" where there is only one place. */
  readonly name: string;
}

export function placesOf({ partitions, intake }: Access): readonly NamedPlace[] {
  return partitions.all.length === 1 ? partitions.all : [...partitions.all, { ...intake, name: "intake" }];
}

/** The partitions of each server: what is the server's own is asked once. */
export function byServer({ partitions }: Pick<Access, "partitions">): [Partition, ...Partition[]][] {
  const servers = Map.groupBy(partitions.all, (partition) => serverOf(partition.redis) ?? partition);
  return [...servers.values()] as [Partition, ...Partition[]][];
}
