/** What several partitions are asked together, and what each server is asked once. */
import { serverOf } from "@quantum/redis";
import type { Partition } from "@quantum/service-kit";
import type { Access, NamedPlace, Place } from "./place.ts";

/** What is asked may do without the intake. */
export type Places = Pick<Access, "partitions"> & { readonly intake: Place | undefined };

/** Where dead letters are kept, and the audit: the partitions and, where there are several, the intake. */
export function placesOf({ partitions, intake }: Places): readonly NamedPlace[] {
  const isOne = partitions.account.name === "";
  return isOne || intake === undefined ? partitions.all : [...partitions.all, { ...intake, name: "intake" }];
}

/** The partitions of each server: what is the server's own is asked once. */
export function byServer({ partitions }: Pick<Access, "partitions">): [Partition, ...Partition[]][] {
  const servers = Map.groupBy(partitions.all, (partition) => serverOf(partition.redis) ?? partition);
  return [...servers.values()] as [Partition, ...Partition[]][];
}
