import { EventEmitter } from "node:events";
import { Registry } from "prom-client";
import { beforeEach, expect, it, vi } from "vitest";
import { observeAccountStream } from "./account-stream-telemetry.ts";

class Stream extends EventEmitter {
  isUp = false;
  aliveAtMs = -Infinity;
  upSinceMs: number | undefined;
  lastEventAtMs: number | undefined;
}

const lines: string[] = [];
const line = (level: string) => (of: object, text: string) =>
  void lines.push(`${level} ${text} ${JSON.stringify(of)}`);
const log = { debug: vi.fn<() => void>(), info: line("info"), warn: line("warn"), error: line("error") };

let registry: Registry;
let stream: Stream;
beforeEach(() => {
  lines.length = 0;
  registry = new Registry();
  stream = new Stream();
  const sets = { downReasons: ["closed", "silent"], gapReasons: ["time_back"], types: ["ACCOUNT_UPDATE"] };
  observeAccountStream({ stream, ...sets, registry, log: log as never });
});

async function value(name: string, labels: object = {}): Promise<unknown> {
  const metric = await registry.getSingleMetric(name)?.get();
  const text = JSON.stringify(labels);
  return metric?.values.find((sample) => JSON.stringify(sample.labels) === text)?.value;
}

it("starts with no event, no pong, and counters at 0", async () => {
  expect(await value("quantum_exchange_stream_up")).toBe(0);
  expect(await value("quantum_exchange_stream_connected_seconds")).toBe(0);
  expect(await value("quantum_exchange_stream_event_age_seconds")).toBe(Infinity);
  expect(await value("quantum_exchange_stream_pong_age_seconds")).toBe(Infinity);
  expect(await value("quantum_exchange_stream_reconnects_total", { reason: "silent" })).toBe(0);
  expect(await value("quantum_exchange_stream_gaps_total", { reason: "time_back" })).toBe(0);
  expect(await value("quantum_exchange_stream_unreadable_total", { type: "ACCOUNT_UPDATE" })).toBe(0);
});

it("reads the ages when it is scraped", async () => {
  stream.isUp = true;
  stream.upSinceMs = performance.now() - 3_600_000;
  stream.aliveAtMs = performance.now() - 20_000;
  stream.lastEventAtMs = performance.now() - 60_000;
  expect(await value("quantum_exchange_stream_up")).toBe(1);
  expect(await value("quantum_exchange_stream_connected_seconds")).toBeCloseTo(3_600, -1);
  expect(await value("quantum_exchange_stream_pong_age_seconds")).toBeCloseTo(20, -1);
  expect(await value("quantum_exchange_stream_event_age_seconds")).toBeCloseTo(60, -1);
});

it("logs one line when the stream goes down, however often it then fails, and one when it is up", async () => {
  stream.emit("up");
  for (const reason of ["silent", "closed", "closed"]) stream.emit("down", { reason, problem: "no pong" });
  stream.emit("up");
  expect(lines.map((text) => text.split(" ")[0])).toEqual(["info", "warn", "info"]);
  expect(lines[1]).toContain('{"reason":"silent","problem":"no pong"}');
  expect(lines[2]).toMatch(/"wasDownMs":\d+/);
  expect(await value("quantum_exchange_stream_reconnects_total", { reason: "closed" })).toBe(2);
});

it("counts gaps, and logs each kind of unreadable event once", async () => {
  stream.emit("gap", { reason: "time_back", symbol: undefined });
  const row = { type: "ACCOUNT_UPDATE", symbol: "ETHUSDT", problem: "no amount" };
  for (const event of [row, row, { ...row, symbol: "BTCUSDT" }]) stream.emit("unreadable", event);
  expect(lines).toHaveLength(2);
  expect(await value("quantum_exchange_stream_gaps_total", { reason: "time_back" })).toBe(1);
  expect(await value("quantum_exchange_stream_unreadable_total", { type: "ACCOUNT_UPDATE" })).toBe(3);
});

it("logs what a handler threw", () => {
  stream.emit("failed", { error: new Error("bug") });
  expect(lines).toHaveLength(1);
});
