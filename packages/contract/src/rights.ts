/**
 * What a Redis user may be allowed to do to a key: the commands of each right, as services, scripts and permitctl use
 * them. Sources: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/, COMMAND INFO of 7.0.
 */

/** A command's arguments, in which KEY stands for the key. */
type Commands = Readonly<Record<string, string>>;

const look = {
  type: "KEY",
  exists: "KEY",
  xlen: "KEY",
  "xinfo|stream": "KEY",
} as const satisfies Commands;

const read = {
  ...look,
  get: "KEY",
  mget: "KEY",
  ttl: "KEY",
  pttl: "KEY",
  hget: "KEY f",
  hmget: "KEY f",
  hgetall: "KEY",
  hexists: "KEY f",
  hlen: "KEY",
  hscan: "KEY 0",
  zcard: "KEY",
  zcount: "KEY 0 1",
  zscore: "KEY m",
  zmscore: "KEY m",
  zrange: "KEY 0 1",
  zrangebyscore: "KEY 0 1",
  zrevrangebyscore: "KEY 1 0",
  smembers: "KEY",
  scard: "KEY",
  xrange: "KEY - +",
  xrevrange: "KEY + -",
  xread: "STREAMS KEY 0",
  xpending: "KEY g",
  "xinfo|groups": "KEY",
  "xinfo|consumers": "KEY g",
  "memory|usage": "KEY",
} as const satisfies Commands;

/** For a command of several rights, Redis tries them in this order: first what plans use most. */
const RIGHTS = {
  /** Scripts need the length and size to limit a stream. */
  append: { xadd: "KEY * f v", xlen: "KEY", "memory|usage": "KEY" },
  consume: {
    xreadgroup: "GROUP g c STREAMS KEY >",
    xack: "KEY g 1-1",
    xlen: "KEY",
    xclaim: "KEY g c 0 1-1",
    xautoclaim: "KEY g c 0 0-0",
    xtrim: "KEY MAXLEN 0",
    "xgroup|create": "KEY g 0",
    "xgroup|setid": "KEY g 0",
    "xgroup|delconsumer": "KEY g c",
  },
  read,
  /** Whether the key exists, and its type; for a stream, its state. */
  look,
  /** Adds fields to a hash, but cannot delete it or let it expire. */
  stamp: { hset: "KEY f v" },
  write: {
    set: "KEY v",
    expire: "KEY 1",
    pexpire: "KEY 1",
    hset: "KEY f v",
    hsetnx: "KEY f v",
    hdel: "KEY f",
    hincrby: "KEY f 1",
    zadd: "KEY 1 m",
    zrem: "KEY m",
    sadd: "KEY m",
    srem: "KEY m",
  },
  remove: { del: "KEY" },
  /** Writes a key that does not exist, and cannot change it. */
  found: { get: "KEY", setnx: "KEY v" },
  /** Gives an entry back to its group. */
  requeue: { xclaim: "KEY g c 0 1-1" },
  /** Deletes an entry. */
  drop: { xdel: "KEY 1-1" },
  /** APPEND can only turn the kill switch on. SET could turn it off, with a value or an expiry. */
  halt: { get: "KEY", append: "KEY 1" },
} as const satisfies Readonly<Record<string, Commands>>;

export type Right = keyof typeof RIGHTS;

export const RIGHT_NAMES = Object.keys(RIGHTS) as readonly Right[];

/** Rights that change nothing. */
export const READS_ONLY: ReadonlySet<Right> = new Set(["look", "read"]);

/** Commands by their ACL names, such as `xinfo|stream`. */
export function commandsOf(right: Right): string[] {
  return Object.keys(RIGHTS[right]);
}

/** A right's command as it is sent, with the key in its place. */
export function commandLine(right: Right, command: string, key: string): string[] {
  const words = (RIGHTS[right] as Commands)[command]?.split(" ") ?? [];
  return [...command.split("|"), ...words.map((word) => (word === "KEY" ? key : word))];
}
