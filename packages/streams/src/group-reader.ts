/**
 * Blocking reads of one consumer, on a connection of their own. A read that does not come back in time, or whose
 * connection died, fails, and the next one is made on a new connection: a reconnect would send the abandoned read again,
 * and it would take entries and the time of the reads that are awaited.
 */
import { DeadlineError, disconnect, type RedisClient, withDeadline } from "@quantum/redis";
import type { RawEntry } from "./entry.ts";

export interface GroupReaderOptions {
  connectForBlocking: () => RedisClient;
  stream: string;
  group: string;
  consumer: string;
  acknowledge: boolean;
}

/** Long enough that an idle consumer costs nothing, short enough that a stop is not noticed. */
const BLOCK_MS = 5_000;
/** A blocking read that answers later than this after its BLOCK is on a dead connection. */
const BLOCK_GRACE_MS = 2_000;

export class GroupReader {
  readonly #options: GroupReaderOptions;
  #connection: RedisClient | undefined;

  constructor(options: GroupReaderOptions) {
    this.#options = options;
  }

  open(): void {
    this.#connection = this.#options.connectForBlocking();
  }

  /** Ends a read under way. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await disconnect(connection);
  }

  /** @param cursor `>` for what is new; else what this consumer was given before and has not acknowledged, after it */
  async read(cursor: string, count: number): Promise<RawEntry[]> {
    const connection = this.#connection;
    if (connection === undefined) return [];
    const lost = Promise.withResolvers<never>();
    const onClose = () => lost.reject(new ConnectionLostError("the connection was lost"));
    // One that is only being made has lost nothing yet.
    if (connection.status === "ready") connection.once("close", onClose);
    try {
      const answer = Promise.race([this.#send(connection, cursor, count), lost.promise]);
      const reply = await withDeadline(
        answer,
        BLOCK_MS + BLOCK_GRACE_MS,
        `XREADGROUP ${this.#options.stream}`,
      );
      return reply?.[0]?.[1] ?? [];
    } catch (error) {
      if (error instanceof DeadlineError || error instanceof ConnectionLostError)
        await this.#replace(connection);
      throw error;
    } finally {
      connection.off("close", onClose);
    }
  }

  #send(connection: RedisClient, cursor: string, count: number): Promise<[string, RawEntry[]][] | null> {
    const { stream, group, consumer, acknowledge } = this.#options;
    const who = ["GROUP", group, consumer] as const;
    const how = ["COUNT", count, "BLOCK", BLOCK_MS] as const;
    const what = ["STREAMS", stream, cursor] as const;
    return (
      acknowledge
        ? connection.xreadgroup(...who, ...how, ...what)
        : connection.xreadgroup(...who, ...how, "NOACK", ...what)
    ) as Promise<[string, RawEntry[]][] | null>;
  }

  async #replace(lost: RedisClient): Promise<void> {
    // Closed meanwhile.
    if (this.#connection !== lost) return;
    this.open();
    await disconnect(lost);
  }
}

class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}
