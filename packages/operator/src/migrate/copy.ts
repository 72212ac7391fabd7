/** Puts a piece where it belongs, unless it is there, and compares. Each step may be repeated after any end. */
import type { RedisClient } from "@quantum/redis";
import { type Entry, parseEntries } from "@quantum/streams";
import type { Store } from "./store.ts";

const BATCH = 500;

/** `to`: the copy, which gets its name once its source is deleted. */
export type Piece =
  | { kind: "whole"; from: string; to: string }
  | { kind: "text"; to: string; value: string }
  | { kind: "set"; to: string; members: readonly string[] }
  | { kind: "hash"; to: string; fields: Readonly<Record<string, string>> }
  /** In the order of their ids. A group has read as far as its `lastId`. */
  | {
      kind: "stream";
      to: string;
      entries: readonly Entry[];
      groups: readonly { name: string; lastId: string }[];
    };

export async function copy(store: Store, piece: Piece): Promise<void> {
  const { to } = piece;
  const redis = store.of(to);
  switch (piece.kind) {
    case "whole": {
      const source = store.of(piece.from);
      const [payload, expiresAt] = await Promise.all([
        source.dumpBuffer(piece.from),
        source.pexpiretime(piece.from),
      ]);
      // It has expired meanwhile.
      if (payload === null || (await redis.exists(to)) === 1) return;
      await redis.restore(to, Math.max(0, expiresAt), payload, "ABSTTL");
      return;
    }
    case "text":
      await redis.set(to, piece.value);
      return;
    case "set":
      await redis.sadd(to, ...piece.members);
      return;
    case "hash":
      await redis.hset(to, piece.fields);
      return;
    default:
      await copyStream(redis, piece);
  }
}

async function copyStream(redis: RedisClient, piece: Extract<Piece, { kind: "stream" }>): Promise<void> {
  const { to, entries, groups } = piece;
  const there = (await redis.exists(to)) === 1 ? await redis.xlen(to) : 0;
  for (let from = there; from < entries.length; from += BATCH) {
    const some = entries.slice(from, from + BATCH);
    // In their order: a stream takes only later ids.
    await Promise.all(some.map(({ id, fields }) => redis.xadd(to, id, ...Object.entries(fields).flat())));
  }
  for (const { name, lastId } of groups)
    await redis.xgroup("CREATE", to, name, lastId, "MKSTREAM").catch((error: Error) => {
      if (!error.message.startsWith("BUSYGROUP")) throw error;
    });
}

/** Whether the piece is there. */
export async function isThere(store: Store, piece: Piece): Promise<boolean> {
  const { to } = piece;
  const redis = store.of(to);
  switch (piece.kind) {
    case "whole": {
      const [was, is] = await Promise.all([valueOf(store.of(piece.from), piece.from), valueOf(redis, to)]);
      // An expired one is nothing that could be missed.
      return was === undefined || was === is;
    }
    case "text":
      return (await redis.get(to)) === piece.value;
    case "set":
      return (await valueOf(redis, to)) === textOf("set", [...piece.members].toSorted(), -1);
    case "hash":
      return (await valueOf(redis, to)) === textOf("hash", Object.entries(piece.fields).toSorted(byName), -1);
    default:
      return (
        ((await redis.exists(to)) === 0 && piece.entries.length + piece.groups.length === 0) ||
        (await valueOf(redis, to)) === textOf("stream", piece.entries, -1)
      );
  }
}

/** A key's type, content and end, as text that can be compared; undefined if it does not exist. */
export async function valueOf(redis: RedisClient, key: string): Promise<string | undefined> {
  const [type, expiresAt] = await Promise.all([redis.type(key), redis.pexpiretime(key)]);
  switch (type) {
    case "none":
      return undefined;
    case "string":
      return textOf(type, (await redis.getBuffer(key))?.toString("latin1"), expiresAt);
    case "hash":
      return textOf(type, Object.entries(await redis.hgetall(key)).toSorted(byName), expiresAt);
    case "set":
      return textOf(type, (await redis.smembers(key)).toSorted(), expiresAt);
    case "zset":
      return textOf(type, await redis.zrange(key, 0, -1, "WITHSCORES"), expiresAt);
    case "stream":
      return textOf(type, parseEntries(await redis.xrange(key, "-", "+")), expiresAt);
    default:
      throw new Error(`${key}: no service writes a ${type}`);
  }
}

function textOf(type: string, value: unknown, expiresAt: number): string {
  return JSON.stringify([type, value, expiresAt]);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
