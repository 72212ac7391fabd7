import { beforeEach, describe, expect, it } from "vitest";
import { Sessions } from "./sessions.ts";

const HOUR_MS = 3_600_000;

let now = 0;
let sessions: Sessions;
beforeEach(() => {
  now = 1_000;
  sessions = new Sessions(() => now);
});

const open = (user = "ann") => sessions.open(user, "hash").token;

describe("a session", () => {
  it("is found by its token alone, of 256 bits", () => {
    const token = open();
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(sessions.find(token)).toMatchObject({ user: "ann", credential: "hash" });
    expect(sessions.find(`${token}x`)).toBeUndefined();
    expect(sessions.find("")).toBeUndefined();
    expect(sessions.find(open())?.csrf).not.toBe(sessions.find(token)?.csrf);
  });

  it("ends after an hour without use", () => {
    const token = open();
    now += HOUR_MS - 1;
    expect(sessions.find(token)).toBeDefined();
    now += HOUR_MS - 1;
    expect(sessions.find(token)).toBeDefined();
    now += HOUR_MS;
    expect(sessions.find(token)).toBeUndefined();
    now -= HOUR_MS;
    expect(sessions.find(token)).toBeUndefined();
  });

  it("ends after twelve hours, however much it is used", () => {
    const token = open();
    for (let halves = 1; halves < 24; halves += 1) {
      now += HOUR_MS / 2;
      expect(sessions.find(token)).toBeDefined();
    }
    now += HOUR_MS / 2;
    expect(sessions.find(token)).toBeUndefined();
  });

  it("that has been idle the longest ends when its user opens one too many", () => {
    const tokens = Array.from({ length: 20 }, () => {
      now += 1;
      return open();
    });
    now += 1;
    expect(sessions.find(tokens[0] ?? "")).toBeDefined();
    const others = open("vic");
    open();
    expect(sessions.find(tokens[0] ?? "")).toBeDefined();
    expect(sessions.find(tokens[1] ?? "")).toBeUndefined();
    expect(sessions.find(others)).toBeDefined();
  });
});
