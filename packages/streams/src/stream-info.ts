/**
 * What Redis reports about a stream, its groups and their consumers. All throw if the stream or group does not exist.
 * Sources: https://redis.io/docs/latest/commands/xinfo-groups/, xinfo-consumers, xinfo-stream.
 */
import type { RedisClient } from "@quantum/redis";
import { fieldsOf } from "./entry.ts";
import { addedAtMs } from "./stream-id.ts";

export interface GroupInfo {
  name: string;
  /** Entries delivered and not acknowledged. */
  pending: number;
  lastDeliveredId: string;
  /** Entries not yet delivered; NaN where Redis cannot tell (after XDEL or trimming in the middle). */
  lag: number;
}

export async function groupsOf(redis: RedisClient, stream: string): Promise<GroupInfo[]> {
  return rows(await redis.xinfo("GROUPS", stream)).map((row) => ({
    name: row["name"] ?? "",
    pending: Number(row["pending"]),
    lastDeliveredId: row["last-delivered-id"] ?? "0-0",
    lag: row["lag"] ? Number(row["lag"]) : Number.NaN,
  }));
}

export interface ConsumerInfo {
  name: string;
  /** Redis 7.0: since it last received an entry; later versions: since its last read. */
  idleMs: number;
}

export async function consumersOf(
  redis: RedisClient,
  stream: string,
  group: string,
): Promise<ConsumerInfo[]> {
  return rows(await redis.xinfo("CONSUMERS", stream, group)).map((row) => ({
    name: row["name"] ?? "",
    idleMs: Number(row["idle"]),
  }));
}

/** The id of the newest entry ever added to the stream, even if that entry is gone. */
export async function lastGeneratedId(redis: RedisClient, stream: string): Promise<string> {
  const [row] = rows([await redis.xinfo("STREAM", stream)]);
  return row?.["last-generated-id"] ?? "0-0";
}

/**
 * From when on the stream has every entry that was added to it, in ms of Redis's clock; 0 if none was ever removed, or there
 * is no stream.
 */
export async function keptSinceMs(redis: RedisClient, stream: string): Promise<number> {
  if ((await redis.exists(stream)) === 0) return 0;
  const [row] = rows([await redis.xinfo("STREAM", stream)]);
  if (row === undefined || row["length"] === row["entries-added"]) return 0;
  const first = row["length"] === "0" ? row["last-generated-id"] : row["recorded-first-entry-id"];
  return addedAtMs(first ?? "0-0");
}

/** Flat lists of names and values; some values are nil. */
function rows(reply: unknown): Record<string, string>[] {
  return (reply as unknown[][]).map((flat) =>
    fieldsOf(flat.map((value) => String((value as string | number | null) ?? ""))),
  );
}
