import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Exchange } from "./port.ts";
import { RuleBook } from "./rule-book.ts";

let reads = 0;
const exchange = {
  rules: async () => {
    reads += 1;
    return new Map();
  },
  serverTime: async () => 0,
} as unknown as Exchange;

beforeEach(() => {
  reads = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe("rules that the venue contradicts", () => {
  it("are read at once, and in a storm of refusals once more after a pause", async () => {
    const book = new RuleBook(exchange, () => undefined);
    await book.start();
    expect(reads).toBe(1);
    for (let n = 0; n < 50; n++) book.readAgain();
    await vi.advanceTimersByTimeAsync(0);
    expect(reads).toBe(2);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(reads).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(reads).toBe(3);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reads).toBe(3);
    book.readAgain();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reads).toBe(4);
    book.stop();
  });
});
