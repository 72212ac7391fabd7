/**
 * Connections to Redis by role. Source: https://github.com/redis/ioredis (5.11).
 *
 * A blocking read owns its connection: a command queued behind `XREADGROUP BLOCK` would wait for it.
 */
import { slotOf } from "@quantum/contract";
import type { Redis, RedisOptions } from "ioredis";
import { optionsOf, RedisClient, retryAfterMs } from "./client.ts";
import { mayRunElsewhere } from "./disposition.ts";
import { connectorTo } from "./master-connector.ts";
import { finderOf } from "./master-finder.ts";
import { atEndOfTurn } from "./turn.ts";
import { parseRedisUrl, type RedisUrl } from "./url.ts";

export { RedisClient } from "./client.ts";

/** Longer than any script takes, shorter than anybody would want to wait for one. */
export const COMMAND_DEADLINE_MS = 2_000;
const CONNECT_DEADLINE_MS = 5_000;

export interface ConnectOptions {
  /** Of a server, of Sentinels or of a cluster: url.ts has the forms. */
  url: string;
  /** In a cluster, the connection leads to the master of this key's slot; by default, to that of slot 0. */
  slotOf?: string;
  /** Shown in `CLIENT LIST`: service and role. */
  name: string;
  /** A connection that is lost reports here, once for each reason; it reconnects by itself. */
  onError: (error: Error) => void;
  /** False: INFO is not asked before the first command. The Redis user `halt` may not ask it. */
  readyCheck?: false;
  /**
   * False: a command that was sent is not sent again when its connection is lost, but fails. One that had been executed would
   * find its own change there, and answer as if somebody else had made it.
   */
  resend?: false;
}

/**
 * Writes the commands of one turn together. ioredis's own `enableAutoPipelining` does that, too, but each of its
 * pipelines outlives many collections of garbage: pauses of 3 to 5 ms where they need 0.5.
 */
class CommandConnection extends RedisClient {
  override sendCommand(...sent: Parameters<Redis["sendCommand"]>): unknown {
    const { stream } = this;
    // There is none before the first connection.
    if ((stream as typeof stream | undefined)?.writableCorked === 0) {
      stream.cork();
      atEndOfTurn(() => stream.uncork());
    }
    return super.sendCommand(...sent);
  }
}

const common = (
  { url: text, slotOf: key = "", name, onError, readyCheck, resend }: ConnectOptions,
  options: RedisOptions,
  Client = RedisClient,
): RedisClient => {
  const url = parseRedisUrl(text);
  const client = new Client({
    ...placeOf(url, key),
    connectionName: name,
    connectTimeout: CONNECT_DEADLINE_MS,
    retryStrategy: retryAfterMs,
    // 2: the command is sent again on the next connection.
    reconnectOnError: (error) => mayRunElsewhere(error, url.kind) && (resend === false ? 1 : 2),
    ...(readyCheck === false && { enableReadyCheck: false }),
    ...options,
  });
  client.url = url;
  client.onProblem = onError;
  return client;
};

function placeOf(url: RedisUrl, key: string): RedisOptions {
  return {
    ...optionsOf(url, url.user, url.password),
    ...(url.kind === "server"
      ? { ...url.address, db: url.database }
      : { Connector: connectorTo(finderOf(url), slotOf(key)) }),
    ...(url.kind === "sentinel" && { db: url.database }),
  };
}

/**
 * For commands and scripts: each one ends within {@link COMMAND_DEADLINE_MS}, in an answer or an error.
 * @throws RedisUrlError
 */
export function connectForCommands(options: ConnectOptions): RedisClient {
  const limits = {
    commandTimeout: COMMAND_DEADLINE_MS,
    // Half-open, it would never end by itself: every command would fail for ever.
    socketTimeout: COMMAND_DEADLINE_MS,
    maxRetriesPerRequest: options.resend === false ? 0 : 1,
  };
  return common(options, limits, CommandConnection);
}

/**
 * For one blocking read at a time; its deadline is {@link withDeadline}'s, since it depends on BLOCK.
 * @throws RedisUrlError
 */
export function connectForBlocking(options: ConnectOptions): RedisClient {
  return common(options, { maxRetriesPerRequest: null });
}

export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

/** ioredis gives these no types: a deadline, a connection that was lost or closed, a pipeline that was cut. */
const UNANSWERED =
  /^(Command timed out|Connection is closed\.|Command aborted due to connection close|Reached the max retries per request limit)/;

/** Whether a command failed without an answer: it may have run. An error that Redis answered is none of these. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof DeadlineError || (error instanceof Error && UNANSWERED.test(error.message));
}

/** Ends an await that a half-open connection would keep for ever. What was sent may still run: scripts replay. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`${what}: no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Closes without waiting for a server that may be gone. */
export async function disconnect(client: RedisClient): Promise<void> {
  if (client.status === "end") return;
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  // Between two attempts there is nothing to close, and `end` would never come: an attempt that has begun is ended.
  if (client.status === "reconnecting") client.connect().catch(() => undefined);
  client.disconnect();
  await ended;
}
