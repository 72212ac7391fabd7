/** A client of the user data stream for tests: each test gets its own venue. */
import { once } from "node:events";
import { afterEach } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { createExchangeSim, type ExchangeSim, type ExchangeSimOptions } from "./server.ts";

const API_KEY = "sim-key";

let sims: ExchangeSim[] = [];
export function useVenues(): void {
  afterEach(async () => {
    await Promise.all(sims.map((sim) => sim.close()));
    sims = [];
  });
}

export async function startVenue(options: ExchangeSimOptions = {}): Promise<ExchangeSim> {
  const sim = createExchangeSim({ strategy: false, apiKey: API_KEY, orderAnswer: "result", ...options });
  sims.push(sim);
  await sim.listen();
  return sim;
}

export async function listenKeyRequest(
  { url }: ExchangeSim,
  method: "POST" | "PUT" | "DELETE",
  apiKey = API_KEY,
): Promise<{ status: number; body: { listenKey?: string; code?: number } }> {
  const answer = await fetch(`${url}/fapi/v1/listenKey`, {
    method,
    headers: { "x-mbx-apikey": apiKey, "content-type": "application/x-www-form-urlencoded" },
  });
  return { status: answer.status, body: (await answer.json()) as { listenKey?: string; code?: number } };
}

export async function listenKeyOf(sim: ExchangeSim): Promise<string> {
  const { body } = await listenKeyRequest(sim, "POST");
  if (body.listenKey === undefined) throw new Error("no listen key");
  return body.listenKey;
}

export async function control({ url }: ExchangeSim, path: string, body: object): Promise<void> {
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Somebody trades the position to `positionAmt`. */
export const trade = (sim: ExchangeSim, symbol: string, positionAmt: string, by = "other") =>
  control(sim, "/sim/positions", { symbol, positionAmt, traded: true, by });

/** An event's fields, as far as tests look at them. Ids are numbers, so not exact here. */
export interface SeenEvent {
  e: string;
  E: number | string;
  T: number;
  listenKey?: string;
  o?: Record<string, string | number | boolean>;
  a?: { m: string; B: object[]; P: Record<string, string>[] };
}

export class Listener {
  readonly socket: WebSocket;
  /** The events as they arrived. */
  readonly texts: string[] = [];
  #read = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => this.texts.push(data.toString()));
  }

  /** The next event that nobody has read yet. */
  async next(): Promise<SeenEvent> {
    while (this.#read === this.texts.length) await once(this.socket, "message");
    this.#read += 1;
    return JSON.parse(this.texts[this.#read - 1] ?? "") as SeenEvent;
  }

  async take(count: number): Promise<SeenEvent[]> {
    const events: SeenEvent[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }

  /** All events up to the first that `isLast` accepts. */
  async until(isLast: (event: SeenEvent) => boolean): Promise<SeenEvent[]> {
    const events: SeenEvent[] = [];
    for (;;) {
      const event = await this.next();
      events.push(event);
      if (isLast(event)) return events;
    }
  }
}

export async function listen(
  sim: ExchangeSim,
  {
    listenKey,
    events,
    ...options
  }: { listenKey?: string; events?: string } & Pick<ClientOptions, "autoPong"> = {},
): Promise<Listener> {
  const query = new URLSearchParams({
    listenKey: listenKey ?? (await listenKeyOf(sim)),
    ...(events === undefined ? {} : { events }),
  });
  const socket = new WebSocket(`${sim.url.replace("http", "ws")}/private/ws?${query.toString()}`, options);
  const listener = new Listener(socket);
  await once(socket, "open");
  return listener;
}

/** What an event is, in a word or two. */
export function kindOf({ e, o, a }: SeenEvent): string {
  return `${e} ${o?.["x"] ?? a?.m ?? ""}`.trim();
}
