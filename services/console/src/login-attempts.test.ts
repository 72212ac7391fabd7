import { beforeEach, describe, expect, it } from "vitest";
import { LoginAttempts, networkOf } from "./login-attempts.ts";

const FREE = 5;
const HOME = "203.0.113.7";

let now = 0;
let attempts: LoginAttempts;
beforeEach(() => {
  now = 0;
  attempts = new LoginAttempts(() => now);
});

/** Tries until there is a pause. @returns the pause, in ms */
function untilPaused(
  user: string | ((no: number) => string),
  address: string | ((no: number) => string),
): number {
  const of = (text: typeof user, no: number) => (typeof text === "string" ? text : text(no));
  for (let no = 0; no < 100; no += 1) {
    const waitMs = attempts.begin(of(user, no), of(address, no));
    if (waitMs > 0) return waitMs;
  }
  throw new Error("never");
}

const elsewhere = (no: number) => `198.51.${no % 200}.${no}`;

describe("attempts to log in", () => {
  it("are free five times, and then have pauses that double", () => {
    for (let no = 0; no < FREE; no += 1) expect(attempts.begin("ann", HOME)).toBe(0);
    const pauses = Array.from({ length: 4 }, () => {
      const waitMs = attempts.begin("ann", HOME);
      now += waitMs;
      expect(attempts.begin("ann", HOME)).toBe(0);
      return waitMs;
    });
    expect(pauses).toEqual([10_000, 20_000, 40_000, 80_000]);
  });

  it("count for one user from many addresses, with pauses of a minute at most", () => {
    expect(untilPaused("ann", elsewhere)).toBe(10_000);
    for (let no = 0; no < 20; no += 1) {
      now += 60_000;
      attempts.begin("ann", elsewhere(no));
    }
    expect(attempts.begin("ann", "192.0.2.9")).toBeLessThanOrEqual(60_000);
  });

  it("count for one address with many users, with pauses of a quarter of an hour at most", () => {
    expect(untilPaused((no) => `user${no}`, HOME)).toBe(10_000);
    for (let no = 0; no < 20; no += 1) {
      now += 900_000;
      attempts.begin(`user${no}`, HOME);
    }
    expect(attempts.begin("another", HOME)).toBe(900_000);
    expect(attempts.begin("another", "192.0.2.9")).toBe(0);
  });

  it("of strangers do not keep a user out where he has logged in before", () => {
    attempts.begin("ann", HOME);
    attempts.succeeded("ann", HOME);
    expect(untilPaused("ann", elsewhere)).toBeGreaterThan(0);
    expect(attempts.begin("ann", HOME)).toBe(0);
    expect(untilPaused("ann", HOME)).toBeGreaterThan(0);
  });

  it("of strangers at the same address do not either", () => {
    attempts.begin("ann", HOME);
    attempts.succeeded("ann", HOME);
    expect(untilPaused((no) => `user${no}`, HOME)).toBeGreaterThan(0);
    expect(untilPaused("vic", HOME)).toBeGreaterThan(0);
    expect(attempts.begin("ann", HOME)).toBe(0);
  });

  it("for others are not forgotten because one login between them succeeds", () => {
    for (let no = 0; no < FREE - 1; no += 1) {
      expect(attempts.begin("ann", HOME)).toBe(0);
      expect(attempts.begin("vic", HOME)).toBe(0);
      attempts.succeeded("vic", HOME);
    }
    expect(attempts.begin("ann", HOME)).toBe(0);
    expect(attempts.begin("another", HOME)).toBeGreaterThan(0);
  });

  it("are forgotten after an hour without any", () => {
    expect(untilPaused("ann", HOME)).toBeGreaterThan(0);
    now += 3_600_000;
    for (let no = 0; no < FREE; no += 1) expect(attempts.begin("ann", HOME)).toBe(0);
  });
});

describe("an address", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0db8:1:2::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("%s counts as %s", (address, network) => expect(networkOf(address)).toBe(network));
});
