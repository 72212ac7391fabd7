/**
 * What an error of Redis means for whoever waits for an answer: one table for services, permitctl and the launcher.
 * Sources: the error replies of redis/redis 7.0 (src/server.c, src/acl.c, src/cluster.c), Node's error codes.
 */

import { NoMasterError } from "./masters.ts";
import type { RedisUrl } from "./url.ts";

/** What has to be changed. */
export type RedisConcern = "database" | "credentials" | "rights" | "address" | "server";

export type RedisDisposition =
  /** Permanent: it stays until something is changed, so waiting is useless. */
  | { kind: "refused"; concerns: RedisConcern; advice: string }
  /** Silence, or a state that Redis leaves by itself. */
  | { kind: "passes"; meaning: string }
  /** About one command and its keys, not about the server. */
  | { kind: "command" };

const refused = (concerns: RedisConcern, advice: string): RedisDisposition => ({
  kind: "refused",
  concerns,
  advice,
});
const passes = (meaning: string): RedisDisposition => ({ kind: "passes", meaning });

/** The answer of a cluster's node to a connection that does not look for a slot's master. */
const CLUSTER = refused("server", "this is a node of a Redis Cluster: its URL begins with redis+cluster://");
const MOVING = passes("the cluster moves its keys");

/** Errors that were answered to a connection that follows the masters of a cluster. */
const followed = new WeakSet<Error>();

export function markFollowed(error: Error): void {
  followed.add(error);
}

/** By the first word of an error reply. */
const BY_CODE: ReadonlyMap<string, RedisDisposition> = new Map([
  ["NOAUTH", refused("credentials", "Redis wants a password: give it in the URL")],
  ["WRONGPASS", refused("credentials", "Redis does not accept this user or password")],
  ["NOPERM", refused("rights", "this Redis user lacks a required right")],
  ["DENIED", refused("server", "Redis runs in protected mode and takes local connections only")],
  ["MOVED", CLUSTER],
  ["ASK", CLUSTER],
  [
    "CROSSSLOT",
    refused(
      "server",
      "a call names keys of two slots: a defect of this software, if PARTITIONS is more than 1",
    ),
  ],
  ["LOADING", passes("Redis is loading its data")],
  ["BUSY", passes("a script keeps Redis busy")],
  ["UNKILLABLE", passes("a script keeps Redis busy")],
  ["MASTERDOWN", passes("this Redis has lost its master")],
  ["CLUSTERDOWN", passes("the cluster is down")],
  ["TRYAGAIN", MOVING],
  ["READONLY", passes("this Redis is a replica, which may become master in a failover")],
  ["UNBLOCKED", passes("this Redis has become a replica")],
  ["NOMASTERLINK", passes("this Redis has lost its master")],
  ["NOREPLICAS", passes("Redis takes no writes until enough replicas follow it")],
  ["MISCONF", passes("Redis takes no writes because it cannot save to disk")],
  ["OOM", passes("Redis takes no writes because its memory is full")],
]);

/** The server that answers these must not run the command now, another one may. */
const ELSEWHERE: ReadonlySet<string> = new Set(["READONLY", "UNBLOCKED"]);

/** Whether the next connection, by the same URL, may lead to a server that runs the command: this one has not run it. */
export function mayRunElsewhere(error: Error, ledBy: RedisUrl["kind"]): boolean {
  const code = codeOf(error.message);
  return ELSEWHERE.has(code) || (code === "MOVED" && ledBy === "cluster");
}

/** Replies without a code of their own, the client library's errors, and those of network and TLS. */
const BY_TEXT: readonly (readonly [RegExp, RedisDisposition])[] = [
  // In a script; from Redis 7.2 on, NOPERM there too.
  [/^ERR The user executing the script can't/, refused("rights", "this Redis user lacks a required right")],
  [/DB index is out of range|invalid DB index/i, refused("database", "this Redis has no such database")],
  [/SELECT is not allowed in cluster mode/i, CLUSTER],
  [/cluster support disabled/i, { kind: "command" }],
  [/ERR invalid password/i, refused("credentials", "Redis does not accept this password")],
  [/max number of clients/i, passes("Redis has reached its limit of clients")],
  [/^ERR unknown command/i, refused("server", "this Redis does not know a required command")],
  [
    /Protocol error, got/i,
    refused("address", "what answers there does not speak Redis's protocol (a TLS port needs rediss://)"),
  ],
  [
    /wrong version number|packet length too long|EPROTO|ERR_SSL_/i,
    refused("address", "what answers there does not speak TLS (a plain port needs redis://)"),
  ],
  [
    /certificate|ERR_TLS_|CERT_|_CERT|UNABLE_TO_(GET|VERIFY)/i,
    refused("address", "the server's TLS certificate is not accepted"),
  ],
  [/^knows no master named/, refused("address", "the Sentinels know no master of this name")],
  [
    /^is no Sentinel$/,
    refused("address", "redis+sentinel:// names Sentinels: the URL of a server begins with redis://"),
  ],
  [
    /^is no node of a cluster$/,
    refused("address", "redis+cluster:// names nodes of a cluster: the URL of a server begins with redis://"),
  ],
  [/ is no (master|longer the master)\b/, passes("another server is or becomes master")],
];

/** Of what is thrown by a command, a script or a connection. What the table does not know is about the command. */
export function dispositionOf(error: unknown): RedisDisposition {
  if (!(error instanceof Error)) return { kind: "command" };
  if (error instanceof NoMasterError) return ofAll(error.causes);
  const text = plainMessage(error);
  const errorCode = codeOf(text);
  if (followed.has(error) && (errorCode === "MOVED" || errorCode === "ASK")) return MOVING;
  const byCode = BY_CODE.get(errorCode);
  if (byCode !== undefined) return byCode;
  const code = "code" in error ? String(error.code) : "";
  const byText = BY_TEXT.find(([pattern]) => pattern.test(text) || pattern.test(code))?.[1];
  if (byText !== undefined) return byText;
  return error.name === "ReplyError" ? { kind: "command" } : passes("Redis does not answer");
}

/** One that is only silent may answer later. */
function ofAll(causes: readonly Error[]): RedisDisposition {
  const [first, ...others] = causes.map(dispositionOf);
  if (first?.kind === "refused" && others.every(({ kind }) => kind === "refused")) return first;
  return passes("where the master is cannot be told");
}

function codeOf(message: string): string {
  return /^[A-Z]+/.exec(message)?.[0] ?? "";
}

/** Whether Redis or its operator does not offer the command: an ACL forbids it, or it has been renamed. */
export function isNotOffered(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/.test(plainMessage(error));
}

/** ioredis puts words of its own around a reply. */
function plainMessage({ message }: Error): string {
  return message.replace(/^Ready check failed: /, "");
}
