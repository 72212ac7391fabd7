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
  #running: Promise<void> | undefined;
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
    const stream: Stream = { response, visitor, isWelcome, hasPresent: false };
    const own = [...this.#streams].filter((other) => other.visitor === visitor);
    if (own.length >= OF_VISITOR_MAX) own[0]?.response.end();
    this.#streams.add(stream);
    response.once("close", () => this.#streams.delete(stream));
    response.write(`retry: ${RETRY_MS}\n\n`);
    if (performance.now() - this.#saidAt < BEAT_MS) this.#show(stream);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Newest last. Told with the next beat, if anybody looks. */
  tellEnded(rows: readonly PlanRow[]): void {
    if (this.#streams.size === 0) return;
    this.#ended.push(...rows.slice(-ENDED_ROWS_MAX));
    const surplus = Math.max(0, this.#ended.length - ENDED_ROWS_MAX);
    this.#ended.splice(0, surplus);
    this.#skipped += surplus + Math.max(0, rows.length - ENDED_ROWS_MAX);
  }

  /** Closes every stream. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { response } of this.#streams) response.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#streams.size > 0 && !signal.aborted) {
      const now = await this.#present.read();
      for (const { response, isWelcome } of this.#streams) if (!isWelcome()) response.end();
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
      await delay(BEAT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #show(stream: Stream): void {
    stream.hasPresent = true;
    this.#write(stream, this.#snapshot);
  }

  #takeEnded(): Buffer | undefined {
    if (this.#ended.length === 0) return undefined;
    const event = eventOf("ended", { rows: this.#ended.toReversed(), skipped: this.#skipped });
    this.#ended = [];
    this.#skipped = 0;
    return event;
  }

  #write({ response }: Stream, event: Buffer): void {
    if (response.writableEnded || response.destroyed) return;
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
