/**
 * The browsers' event streams. One loop reads for all of them while anybody looks; an event is written as text once and
 * sent to all. Who reads too slowly is dropped, and begins again with the present when he comes back.
 */
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Events, PlanRow } from "./api.ts";
import type { ConsoleEvents } from "./events.ts";
import type { Present } from "./present.ts";

/** Between two events of a kind. */
const BEAT_MS = 500;
/** `now` comes at least so often: shorter than any proxy's patience, and tells the page that the console is there. */
const REPEAT_MS = 5_000;
/** Until a browser that has lost its stream asks again. */
const RETRY_MS = 2_000;
/** What a browser may leave unread. All streams share the events' bytes. */
const UNREAD_MAX_BYTES = 2 ** 22;
/** Streams of one visitor, whose browsers have one each. One more closes the oldest. */
const OF_VISITOR_MAX = 64;
const ENDED_ROWS_MAX = 50;
/** For the log. */
const PATH = "/api/events";

interface Stream {
  readonly response: ServerResponse;
  readonly visitor: string;
  /** False once his session is over. */
  readonly isWelcome: () => boolean;
  hasPresent: boolean;
}

export interface Joining {
  response: ServerResponse;
  /** Streams of the same name count together. */
  visitor: string;
  isWelcome: () => boolean;
}

export class EventStreams {
  readonly #present: Pick<Present, "read">;
  readonly #events: ConsoleEvents;
  /** Oldest first. */
  readonly #streams = new Set<Stream>();
  readonly #stopping = new AbortController();
  #isRunning = false;
  /** Of the last run; it never rejects. */
  #ran: Promise<void> = Promise.resolve();
  /** The last event `now`, and what it said, but for its time. */
  #snapshot: Buffer = Buffer.alloc(0);
  #said = "";
  #saidAt = Number.NEGATIVE_INFINITY;
  #ended: PlanRow[] = [];
  #skipped = 0;

  constructor(present: Pick<Present, "read">, events: ConsoleEvents) {
    this.#present = present;
    this.#events = events;
  }

  get count(): number {
    return this.#streams.size;
  }

  /** The response's head has been written. */
  add({ response, visitor, isWelcome }: Joining): void {
    if (this.#stopping.signal.aborted) {
      response.end();
      return;
    }
    const stream: Stream = { response, visitor, isWelcome, hasPresent: false };
    const own = [...this.#streams].filter((other) => other.visitor === visitor);
    if (own[0] !== undefined && own.length >= OF_VISITOR_MAX) this.#end(own[0]);
    this.#streams.add(stream);
    response.once("close", () => this.#leave(stream));
    response.write(`retry: ${RETRY_MS}\n\n`);
    if (performance.now() - this.#saidAt < BEAT_MS) this.#show(stream);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#ran = this.#run();
  }

  /** Newest last. Told with the next beat, if anybody looks. */
  tellEnded(rows: readonly PlanRow[]): void {
    if (this.#streams.size === 0) return;
    this.#ended.push(...rows.slice(-ENDED_ROWS_MAX));
    const surplus = Math.max(0, this.#ended.length - ENDED_ROWS_MAX);
    this.#ended.splice(0, surplus);
    this.#skipped += surplus + Math.max(0, rows.length - ENDED_ROWS_MAX);
  }

  /** Closes every stream, and those that still come. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#endAll();
    await this.#ran;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (this.#streams.size > 0 && !signal.aborted) {
        await this.#tell();
        await delay(BEAT_MS, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      this.#events.emit("failed", { path: PATH, error: error as Error });
      // Their browsers come again, and begin another run.
      this.#endAll();
    } finally {
      this.#isRunning = false;
    }
  }

  async #tell(): Promise<void> {
    const now = await this.#present.read();
    for (const stream of this.#streams) if (!stream.isWelcome()) this.#end(stream);
    const { atMs: _, ...said } = now;
    const text = JSON.stringify(said);
    const isNews = text !== this.#said || performance.now() - this.#saidAt >= REPEAT_MS;
    if (isNews || [...this.#streams].some(({ hasPresent }) => !hasPresent)) {
      this.#said = text;
      this.#saidAt = performance.now();
      this.#snapshot = eventOf("now", now);
    }
    const ended = this.#takeEnded();
    for (const stream of this.#streams) {
      if (isNews || !stream.hasPresent) this.#show(stream);
      if (ended !== undefined) this.#write(stream, ended);
    }
  }

  #endAll(): void {
    for (const stream of this.#streams) this.#end(stream);
  }

  /** It counts no longer, even if its browser does not read what is left. */
  #end(stream: Stream): void {
    this.#leave(stream);
    stream.response.end();
  }

  #leave(stream: Stream): void {
    this.#streams.delete(stream);
    // Whoever looks next begins with the present.
    if (this.#streams.size === 0) this.#forgetEnded();
  }

  #show(stream: Stream): void {
    stream.hasPresent = true;
    this.#write(stream, this.#snapshot);
  }

  #takeEnded(): Buffer | undefined {
    if (this.#ended.length === 0) return undefined;
    const event = eventOf("ended", { rows: this.#ended.toReversed(), skipped: this.#skipped });
    this.#forgetEnded();
    return event;
  }

  #forgetEnded(): void {
    this.#ended = [];
    this.#skipped = 0;
  }

  #write({ response }: Stream, event: Buffer): void {
    if (response.destroyed) return;
    if (response.writableLength > UNREAD_MAX_BYTES) {
      this.#events.emit("streamDropped");
      response.destroy();
      return;
    }
    response.write(event);
  }
}

/** JSON has no line breaks, so it is one line of data. */
function eventOf<Name extends keyof Events>(name: Name, data: Events[Name]): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
