/** Whether a stream that answers pings is believed when REST shows what it has not told. */
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { distrustDeafStream } from "./deaf-stream.ts";
import type { StoredReading } from "./refresh-events.ts";
import type { PairRefresh } from "./refresh.ts";

const SECOND_MS = 1_000;

class Stream {
  upSinceMs: number | undefined = performance.now();
  lastEventAtMs: number | undefined;
  distrust = vi.fn<() => void>();
}

let stream: Stream;
const refresh = new EventEmitter<{ stored: [StoredReading] }>();

/** A reading of now. */
function read(positionAmt: string, symbol = "ETHUSDT") {
  const reading = { symbol, pair: { snapshot: { positionAmt } }, readAtMs: performance.now() };
  refresh.emit("stored", reading as StoredReading);
}
const pass = (seconds: number) => vi.advanceTimersByTime(seconds * SECOND_MS);

beforeEach(() => {
  vi.useFakeTimers();
  pass(60);
  stream = new Stream();
  refresh.removeAllListeners();
  distrustDeafStream({ refresh: refresh as unknown as PairRefresh, stream });
  pass(60);
  read("1");
  pass(60);
});
afterEach(() => vi.useRealTimers());

it("is distrusted if a position has changed and no event has come", () => {
  read("0.5");
  pass(1);
  expect(stream.distrust).not.toHaveBeenCalled();
  pass(2);
  expect(stream.distrust).toHaveBeenCalledOnce();
});

it("is believed if the position is the same, however it is written", () => {
  read("1.000");
  pass(10);
  expect(stream.distrust).not.toHaveBeenCalled();
});

it("is believed if an event has come since the position was last read, or comes a little later", () => {
  stream.lastEventAtMs = performance.now() - 30 * SECOND_MS;
  read("0.5");
  pass(10);
  stream.lastEventAtMs = undefined;
  read("0.25");
  pass(1);
  stream.lastEventAtMs = performance.now();
  pass(10);
  expect(stream.distrust).not.toHaveBeenCalled();
});

it("is believed if it was not connected all the time", () => {
  stream.upSinceMs = performance.now() - 30 * SECOND_MS;
  read("0.5");
  pass(10);
  stream.upSinceMs = undefined;
  read("0.25");
  pass(10);
  expect(stream.distrust).not.toHaveBeenCalled();
});

it("is believed about symbols that are read for the first time", () => {
  read("7", "BTCUSDT");
  pass(10);
  expect(stream.distrust).not.toHaveBeenCalled();
});
