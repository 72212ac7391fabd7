/** One reader for every browser, and no browser that holds up the others: streams on a real server, without Redis. */
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually } from "@quantum/harness";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Now } from "./api.ts";
import { EventStreams } from "./event-streams.ts";
import { ConsoleEvents } from "./events.ts";

const PATIENCE_MS = 10_000;
/** Fills the buffers of a socket with one event. */
const LARGE = "x".repeat(2 ** 23);
const OF_VISITOR_MAX = 64;

let streams: EventStreams;
let events: ConsoleEvents;
let server: Server;
let url = "";
let reads = 0;
let text = "";
let problem: Error | undefined;
beforeEach(async () => {
  reads = 0;
  text = "";
  problem = undefined;
  events = new ConsoleEvents();
  const read = async () => {
    reads += 1;
    if (problem !== undefined) throw problem;
    return { atMs: reads, redis: { version: `${text}${text === "" ? "" : reads}` } } as Now;
  };
  streams = new EventStreams({ read }, events);
  server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    streams.add({ response, visitor: request.url ?? "", isWelcome: () => true });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await streams.stop();
  server.closeAllConnections();
  server.close();
});

/** A browser that has joined; it reads once it is told to. */
async function join(visitor = "ann"): Promise<IncomingMessage> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  get(`${url}/${visitor}`, { agent: false }, resolve).on("error", () => undefined);
  return promise;
}

function follow(answer: IncomingMessage) {
  const told = { text: "", isOver: false };
  answer.setEncoding("utf8").on("data", (chunk: string) => (told.text += chunk));
  for (const end of ["close", "error"]) answer.on(end, () => (told.isOver = true));
  return told;
}

const count = (told: { text: string }, event: string) => told.text.split(`event: ${event}\n`).length - 1;
const until = (holds: () => boolean, what: string) =>
  eventually(async () => holds() || undefined, PATIENCE_MS, what);

it("reads for all of them at once, and for nobody not at all", async () => {
  expect(reads).toBe(0);
  const told = await Promise.all(Array.from({ length: 50 }, async () => follow(await join())));
  await until(() => told.every((each) => count(each, "now") > 0), "the present for everybody");
  expect(reads).toBeLessThanOrEqual(3);
  streams.tellEnded([{ planId: "67e6da21fa9fe506" } as never]);
  await until(() => told.every((each) => count(each, "ended") === 1), "an end for everybody");
  // Nothing has changed.
  expect(Math.max(...told.map((each) => count(each, "now")))).toBeLessThanOrEqual(2);
});

it("tells 50 ends at once, the newest first, and how many it left out", async () => {
  const told = follow(await join());
  await until(() => count(told, "now") > 0, "the present");
  const rows = Array.from({ length: 130 }, (_, no) => ({ planId: `plan ${no}` }));
  streams.tellEnded(rows.slice(0, 70) as never);
  streams.tellEnded(rows.slice(70) as never);
  await until(() => count(told, "ended") > 0, "the ends");
  const [, data = ""] = /event: ended\ndata: (.*)\n/.exec(told.text) ?? [];
  const ended = JSON.parse(data) as { rows: { planId: string }[]; skipped: number };
  expect(ended.rows.map(({ planId }) => planId)).toEqual(
    rows
      .slice(-50)
      .map(({ planId }) => planId)
      .toReversed(),
  );
  expect(ended.skipped).toBe(80);
});

it("drops a browser that reads too slowly, and no other", async () => {
  let dropped = 0;
  events.on("streamDropped", () => (dropped += 1));
  text = LARGE;
  const slow = await join();
  slow.pause();
  const told = follow(await join());
  await until(() => dropped === 1, "the slow browser's end");
  await until(() => streams.count === 1, "one stream");
  const before = count(told, "now");
  await until(() => count(told, "now") > before, "more for the other");
  expect(told.isOver).toBe(false);
});

it("closes a visitor's oldest stream for one too many, and no other visitor's", async () => {
  const other = follow(await join("vic"));
  const told: ReturnType<typeof follow>[] = [];
  for (let no = 0; no <= OF_VISITOR_MAX; no += 1) told.push(follow(await join()));
  await until(() => told[0]?.isOver === true, "the end of the oldest");
  expect([other, ...told.slice(1)].some(({ isOver }) => isOver)).toBe(false);
});

it("tells nobody what ended while others looked who have left since", async () => {
  const first = await join();
  const told = follow(first);
  await until(() => count(told, "now") > 0, "the present");
  streams.tellEnded(Array.from({ length: 60 }, (_, no) => ({ planId: `old ${no}` })) as never);
  first.destroy();
  await until(() => streams.count === 0, "nobody");
  const later = follow(await join());
  streams.tellEnded([{ planId: "new" }] as never);
  await until(() => count(later, "ended") > 0, "the new end");
  expect(later.text).toContain('data: {"rows":[{"planId":"new"}],"skipped":0}');
  expect(later.text).not.toContain("old");
});

it("ends the streams when it cannot go on, says why, and serves who comes then", async () => {
  const failures: string[] = [];
  events.on("failed", ({ path, error }) => failures.push(`${path}: ${error.message}`));
  problem = new Error("no present");
  const told = follow(await join());
  await until(() => told.isOver, "the end of the stream");
  expect(failures).toEqual(["/api/events: no present"]);
  problem = undefined;
  const later = follow(await join());
  await until(() => count(later, "now") > 0, "the present");
});

it("serves nobody once it has stopped", async () => {
  await streams.stop();
  const told = follow(await join());
  await until(() => told.isOver, "the end of the stream");
  expect(reads).toBe(0);
});
