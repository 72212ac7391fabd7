/** What every connection to Redis is. Source: https://github.com/redis/ioredis (5.11). */
import { Redis, type RedisOptions } from "ioredis";
import { mayRunElsewhere, markFollowed } from "./disposition.ts";
import type { RedisUrl } from "./url.ts";

const RECONNECT_MAX_MS = 1_000;

/** What holds for each connection that a URL asks for, whichever server it leads to. */
export function optionsOf({ tls, family }: RedisUrl, user?: string, password?: string) {
  return {
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(family !== undefined && { family }),
    ...(tls && { tls: {} }),
  } satisfies RedisOptions;
}

/** How long after an attempt, from 1, the next one begins, in ms. */
export function retryAfterMs(attempt: number): number {
  return Math.min(attempt * 50, RECONNECT_MAX_MS);
}

type CommandItem = Parameters<Redis["handleReconnection"]>[1];

/**
 * A connection that works in its own database or not at all. ioredis only reports a SELECT that Redis refuses, and goes
 * on in database 0.
 */
export class RedisClient extends Redis {
  /** By which it was made; undefined: by options. */
  url: RedisUrl | undefined;

  /** How its URL says where Redis is. */
  get ledBy(): RedisUrl["kind"] {
    return this.url?.kind ?? "server";
  }

  /** Why the connection does not work now; undefined while it does, and before its first attempt has ended. */
  problem: Error | undefined;
  /** By performance.now(). */
  problemSinceMs = 0;
  /** Commands that were refused by a server that may not run them, and sent again. */
  readonly #sentAgain = new WeakSet<CommandItem["command"]>();

  constructor(options: RedisOptions) {
    super(options);
    this.on("error", (error: Error) => {
      // A consequence of what came before it.
      if (error.name === "MaxRetriesPerRequestError") return;
      if (this.problem === undefined) this.problemSinceMs = performance.now();
      const isNew = this.problem?.message !== error.message;
      this.problem = error;
      if (isNew) this.onProblem(error);
    });
    this.on("ready", () => (this.problem = undefined));
    this.on("close", () => {
      // ioredis 5 leaves the deadline of a lost connection running, and would end the next one: ioredis#2147.
      const timed = this as unknown as { socketTimeoutTimer: NodeJS.Timeout | undefined };
      clearTimeout(timed.socketTimeoutTimer);
      timed.socketTimeoutTimer = undefined;
    });
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

  /**
   * For each error that Redis answers. A command that only another server may run has not been run: it is sent again, to the
   * server that the next connection leads to. Once, since its caller has to know of a refusal that stays.
   */
  override handleReconnection(error: Error, item: CommandItem): void {
    if (this.ledBy === "cluster") markFollowed(error);
    if (mayRunElsewhere(error, this.ledBy)) {
      if (this.#sentAgain.has(item.command)) {
        if (this.status !== "reconnecting") this.disconnect(true);
        item.command.reject(error);
        return;
      }
      this.#sentAgain.add(item.command);
    }
    super.handleReconnection(error, item);
  }

  /** ioredis's own makes a plain Redis, which would go on in database 0. */
  override duplicate(override?: Partial<RedisOptions>): RedisClient {
    const client = new RedisClient({ ...this.options, ...override });
    client.url = this.url;
    return client;
  }
}
