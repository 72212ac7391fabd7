/**
 * Connections to Redis by role. Source: https://github.com/redis/ioredis (5.11).
 *
 * A blocking read owns its connection: a command queued behind `XREADGROUP BLOCK` would wait for it.
 */
import { Redis, type RedisOptions } from "ioredis";
import { atEndOfTurn } from "./turn.ts";

/**
 * A connection that works in its own database or not at all. ioredis only reports a SELECT that Redis refuses, and goes
 * on in database 0.
 */
export class RedisClient extends Redis {
  /** Why the connection does not work now; undefined while it does, and before its first attempt has ended. */
  problem: Error | undefined;
  /** By performance.now(). */
  problemSinceMs = 0;

  constructor(options: RedisOptions);
  constructor(url: string, options: RedisOptions);
  constructor(...args: [RedisOptions] | [string, RedisOptions]) {
    super(...(args as [string, RedisOptions]));
    this.on("error", (error: Error) => {
      // A consequence of what came before it.
      if (error.name === "MaxRetriesPerRequestError") return;
      if (this.problem === undefined) this.problemSinceMs = performance.now();
      const isNew = this.problem?.message !== error.message;
      this.problem = error;
      if (isNew) this.onProblem(error);
    });
    this.on("ready", () => (this.problem = undefined));
  }

  /** Once for each problem, however many attempts it lasts. */
  onProblem: (error: Error) => void = () => undefined;

  override select(...args: Parameters<Redis["select"]>): Promise<"OK"> {
    const selected = super.select(...args);
    // As for an AUTH that is refused: what waits gets the error, the connection ends, and the next one tries again.
    selected.catch((error: Error) => {
      if (this.status !== "end") this.recoverFromFatalError(error, error, {});
    });
    return selected;
  }

  /** ioredis's own makes a plain Redis, which would go on in database 0. */
  override duplicate(override?: Partial<RedisOptions>): RedisClient {
    return new RedisClient({ ...this.options, ...override });
  }
}

/** Longer than any script takes, shorter than anybody would want to wait for one. */
export const COMMAND_DEADLINE_MS = 2_000;
const CONNECT_DEADLINE_MS = 5_000;
const RECONNECT_MAX_MS = 1_000;

export interface ConnectOptions {
  /** `redis://[:password@]host:port/db` */
  url: string;
  /** In a cluster, the connection leads to the master that has this key's slot; elsewhere it means nothing. */
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
  { url, name, onError, readyCheck }: ConnectOptions,
  options: RedisOptions,
  Client = RedisClient,
): RedisClient => {
  const client = new Client(url, {
    connectionName: name,
    connectTimeout: CONNECT_DEADLINE_MS,
    retryStrategy: (attempt) => Math.min(attempt * 50, RECONNECT_MAX_MS),
    // A master that has become a replica stays one; by its address, the new master may be found.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    ...(readyCheck === false && { enableReadyCheck: false }),
    ...options,
  });
  client.onProblem = onError;
  return client;
};

/** For commands and scripts: each one ends within {@link COMMAND_DEADLINE_MS}, in an answer or an error. */
export function connectForCommands(options: ConnectOptions): RedisClient {
  const limits = {
    commandTimeout: COMMAND_DEADLINE_MS,
    // Half-open, it would never end by itself: every command would fail for ever.
    socketTimeout: COMMAND_DEADLINE_MS,
    maxRetriesPerRequest: options.resend === false ? 0 : 1,
  };
  return common(options, limits, CommandConnection);
}

/** For one blocking read at a time; its deadline is {@link withDeadline}'s, since it depends on BLOCK. */
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
