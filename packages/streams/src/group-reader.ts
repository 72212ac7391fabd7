/**
 * Blocking reads of one consumer, on their own connection. A read fails if it times out or its connection is lost, and
 * the next read uses a new connection. On the old one, a reconnect would resend the abandoned read, which would take
 * entries that nobody awaits and delay later reads.
 */
import { DeadlineError, disconnect, isUnanswered, type RedisClient, withDeadline } from "@quantum/redis";
import type { RawEntry } from "./entry.ts";
import type { Gate } from "./gate.ts";

export interface GroupReaderOptions {
  connectForBlocking: () => RedisClient;
  stream: string;
  group: string;
  consumer: string;
  acknowledge: boolean;
}

/** Long enough that an idle consumer costs nothing, short enough that stopping is not delayed. */
const BLOCK_MS = 5_000;
const INTERRUPTED = Symbol("interrupted");
/** If a blocking read takes this much longer than its BLOCK, the connection is dead. */
const BLOCK_GRACE_MS = 2_000;

export class GroupReader {
  readonly #options: GroupReaderOptions;
  #connection: RedisClient | undefined;
  #breakOff: () => void = () => undefined;

  constructor(options: GroupReaderOptions) {
    this.#options = options;
  }

  open(): void {
    this.#connection = this.#options.connectForBlocking();
  }

  /** Also ends a read in progress. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await disconnect(connection);
  }

  /** Ends the read in progress. Its answer may be lost with its connection; the next read opens a new one. */
  interrupt(): void {
    this.#breakOff();
  }

  /**
   * @param cursor `>` for new entries; otherwise an id: reads entries delivered to this consumer, not acknowledged, and
   * later than it
   * @returns undefined if it was interrupted
   */
  async read(cursor: string, count: number): Promise<RawEntry[] | undefined> {
    const connection = this.#connection;
    if (connection === undefined) return [];
    const interrupted = new Promise<typeof INTERRUPTED>((resolve) => {
      this.#breakOff = () => resolve(INTERRUPTED);
    });
    const lost = Promise.withResolvers<never>();
    const onClose = () => lost.reject(new ConnectionLostError("the connection was lost"));
    // A connection that is still being opened has nothing to lose.
    if (connection.status === "ready") connection.once("close", onClose);
    try {
      const answer = Promise.race([this.#send(connection, cursor, count), lost.promise, interrupted]);
      const reply = await withDeadline(
        answer,
        BLOCK_MS + BLOCK_GRACE_MS,
        `XREADGROUP ${this.#options.stream}`,
      );
      if (reply !== INTERRUPTED) return reply?.[0]?.[1] ?? [];
      await this.#replace(connection);
      return undefined;
    } catch (error) {
      if (error instanceof DeadlineError || error instanceof ConnectionLostError)
        await this.#replace(connection);
      throw error;
    } finally {
      connection.off("close", onClose);
    }
  }

  /**
   * Waits for the gate to open. The connection is used meanwhile, so that it is there for the first read, and operators see
   * that it is. One that does not answer is replaced.
   */
  async pass(gate: Gate, signal: AbortSignal): Promise<void> {
    while (!gate.isOpen && !signal.aborted) {
      await this.#prove();
      await gate.passed(AbortSignal.any([signal, AbortSignal.timeout(BLOCK_MS)]));
    }
  }

  async #prove(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      await withDeadline(connection.ping(), BLOCK_GRACE_MS, "PING");
    } catch (error) {
      if (isUnanswered(error)) await this.#replace(connection);
      throw error;
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
    // It was closed in the meantime.
    if (this.#connection !== lost) return;
    this.open();
    await disconnect(lost);
  }
}

class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}
