/** When the venue is asked for a listen key, by a clock that the tests turn. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ListenKey } from "./listen-key.ts";

const MINUTE_MS = 60_000;
const TIMING = { extendKeyEveryMs: 30 * MINUTE_MS, extendKeyAgainMs: MINUTE_MS };

const venue = {
  isReachable: true,
  isActive: true,
  asked: 0,
  extended: 0,
  async listenKey() {
    this.asked += 1;
    if (!this.isReachable) throw new Error("no answer");
    return "lk-1";
  },
  async extendListenKey() {
    this.extended += 1;
    if (!this.isReachable) throw new Error("no answer");
    return this.isActive;
  },
};
const gone = vi.fn<() => void>();
let key: ListenKey;

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(venue, { isReachable: true, isActive: true, asked: 0, extended: 0 });
  gone.mockClear();
  key = new ListenKey(venue, TIMING, gone);
});
afterEach(() => {
  key.stop();
  vi.useRealTimers();
});

it("is extended every 30 minutes, and each minute after a failure", async () => {
  await key.get();
  await vi.advanceTimersByTimeAsync(30 * MINUTE_MS);
  expect(venue.extended).toBe(1);
  venue.isReachable = false;
  await vi.advanceTimersByTimeAsync(33 * MINUTE_MS);
  expect(venue.extended).toBe(5);
  venue.isReachable = true;
  await vi.advanceTimersByTimeAsync(30 * MINUTE_MS);
  expect(venue.extended).toBe(6);
  expect(gone).not.toHaveBeenCalled();
});

it("is used without the venue for 59 minutes after the venue last confirmed it, and no longer", async () => {
  await key.get();
  await vi.advanceTimersByTimeAsync(30 * MINUTE_MS);
  venue.isReachable = false;
  await vi.advanceTimersByTimeAsync(58 * MINUTE_MS);
  await expect(key.get()).resolves.toBe("lk-1");
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
  await expect(key.get()).rejects.toThrow("no answer");
});

it("is not asked for again for 30 s while connections are refused", async () => {
  await key.get();
  for (let seconds = 0; seconds < 60; seconds += 5) {
    await expect(key.get(true)).resolves.toBe("lk-1");
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(venue.asked).toBe(2);
  // A connection that was opened and has ended may have ended with its key.
  await key.get();
  expect(venue.asked).toBe(3);
  key.forget();
  await key.get(true);
  expect(venue.asked).toBe(4);
});

it("is gone once the venue has another, and is asked for again", async () => {
  await key.get();
  venue.isActive = false;
  await vi.advanceTimersByTimeAsync(30 * MINUTE_MS);
  expect(gone).toHaveBeenCalledOnce();
  venue.isReachable = false;
  await expect(key.get()).rejects.toThrow("no answer");
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
  expect(venue.extended).toBe(1);
});

it("is left alone after stop, even if it arrives later", async () => {
  const asked = key.get();
  key.stop();
  await asked;
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
  expect(venue.extended).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
