/** The user data stream against a real WebSocket server, through the real client. */
import { describe, expect, it, vi } from "vitest";
import { openStream, POLL, useFakeVenue, venue } from "./account-stream.fixture.ts";

useFakeVenue();

const AT = 1_795_692_523_301;
const orderMessage = (s = "ETHUSDT", E = AT) => ({
  e: "ORDER_TRADE_UPDATE",
  E,
  T: E,
  o: { s, c: "web_1", S: "BUY", x: "NEW", X: "NEW", i: 77, z: "0", q: "1", R: true, l: "0", t: 0 },
});
const accountMessage = (P: unknown[], E = AT) => ({ e: "ACCOUNT_UPDATE", E, T: E, a: { m: "ORDER", P } });
const EXPIRED = { e: "listenKeyExpired", E: String(AT) };

async function up() {
  const opened = openStream();
  await vi.waitFor(() => expect(opened.stream.isUp).toBe(true), POLL);
  return opened;
}

describe("a connection", () => {
  it("is made with the account's listen key, for the events that are read", async () => {
    const { names, stream } = await up();
    expect(venue.seen).toEqual([
      "POST",
      "WS /private/ws?listenKey=lk-1-secret&events=ORDER_TRADE_UPDATE/listenKeyExpired/ACCOUNT_UPDATE",
    ]);
    expect(names()).toEqual(["up"]);
    expect(stream.problems()).toEqual([]);
    expect(stream.lastEventAtMs).toBeUndefined();
    expect(stream.upSinceMs).toBeLessThanOrEqual(performance.now());
  });

  it("is made for orders alone, if nobody reads positions", async () => {
    const { stream } = openStream({}, true);
    await vi.waitFor(() => expect(stream.isUp).toBe(true), POLL);
    expect(venue.seen.at(-1)).toBe(
      "WS /private/ws?listenKey=lk-1-secret&events=ORDER_TRADE_UPDATE/listenKeyExpired",
    );
  });

  it("delivers events, each once", async () => {
    const { happened, stream } = await up();
    venue.send(orderMessage());
    venue.send({ e: "TRADE_LITE", E: AT });
    venue.send(accountMessage([{ s: "ETHUSDT", pa: "1", ps: "BOTH" }]));
    await vi.waitFor(() => expect(happened).toHaveLength(3), POLL);
    expect(happened.slice(1)).toMatchObject([
      ["order", { symbol: "ETHUSDT", orderId: "77", origin: "other" }],
      ["account", { positions: [{ symbol: "ETHUSDT", positionAmt: "1" }] }],
    ]);
    expect(stream.lastEventAtMs).toBeLessThanOrEqual(performance.now());
  });

  it("is alive as of the last ping that was answered", async () => {
    const { stream } = await up();
    const firstMs = stream.aliveAtMs;
    await vi.waitFor(() => expect(stream.aliveAtMs).toBeGreaterThan(firstMs), POLL);
    venue.answersPings = false;
    // Answers that are under way arrive before what is sent now.
    venue.send(orderMessage());
    await vi.waitFor(() => expect(stream.lastEventAtMs).toBeDefined(), POLL);
    const lastMs = stream.aliveAtMs;
    venue.socket.pong("unasked");
    venue.send(orderMessage());
    const pings = await pingsOf(3);
    expect(pings).toBe(3);
    expect(stream.aliveAtMs).toBe(lastMs);
  });

  it("is alive as of when a ping was sent, however late its answer", async () => {
    const { stream } = await up();
    venue.answersPings = false;
    const LATE_MS = 60;
    const { socket } = venue;
    socket.on("ping", (data) => setTimeout(() => socket.pong(data), LATE_MS));
    const lags: number[] = [];
    stream.on("alive", ({ atMs }) => lags.push(performance.now() - atMs));
    await vi.waitFor(() => expect(lags.length).toBeGreaterThan(5), POLL);
    // A timer may fire within the millisecond before it is due.
    expect(lags.at(-1)).toBeGreaterThan(LATE_MS - 2);
  });

  it("is not up before the venue answers, and is given up if it never does", async () => {
    venue.answersPings = false;
    const { happened, names, stream } = openStream({ silenceMs: 60 });
    await vi.waitFor(() => expect(names()).toContain("down"), POLL);
    expect(happened[0]).toMatchObject(["down", { reason: "silent" }]);
    expect(stream.isUp).toBe(false);
    venue.answersPings = true;
    await vi.waitFor(() => expect(names()).toContain("up"), POLL);
  });

  it("that is open but silent is given up, and opened again", async () => {
    const { happened, names, stream } = openStream({ silenceMs: 300 });
    await vi.waitFor(() => expect(stream.isUp).toBe(true), POLL);
    venue.answersPings = false;
    await vi.waitFor(() => expect(stream.isUp).toBe(false), POLL);
    await vi.waitFor(() => expect(happened.at(-1)).toMatchObject(["down", { reason: "silent" }]), POLL);
    venue.answersPings = true;
    await vi.waitFor(() => expect(names().at(-1)).toBe("up"), POLL);
  });

  it("that the venue closes is opened again, with the key that the venue then has", async () => {
    const { happened, names, stream } = await up();
    venue.key = "lk-2-secret";
    venue.socket.close(1001);
    await vi.waitFor(() => expect(names()).toEqual(["up", "down", "up"]), POLL);
    expect(happened[1]).toMatchObject([
      "down",
      { reason: "closed", problem: expect.stringContaining("1001") },
    ]);
    expect(venue.seen.at(-1)).toContain("listenKey=lk-2-secret");
    expect(stream.isUp).toBe(true);
  });

  it("that breaks is opened again", async () => {
    const { names } = await up();
    venue.socket.terminate();
    await vi.waitFor(() => expect(names()).toEqual(["up", "down", "up"]), POLL);
  });

  it("that its holder distrusts is opened again", async () => {
    const { happened, names, stream } = await up();
    stream.distrust();
    await vi.waitFor(() => expect(names()).toEqual(["up", "down", "up"]), POLL);
    expect(happened[1]).toMatchObject(["down", { reason: "distrusted" }]);
  });

  it("that is refused is tried again, and no problem contains the key", async () => {
    venue.refuseWith = 401;
    const { happened, names, stream } = openStream();
    await vi.waitFor(() => expect(names().length).toBeGreaterThan(2), POLL);
    expect(happened[0]).toMatchObject([
      "down",
      { reason: "refused", problem: expect.stringContaining("401") },
    ]);
    expect(venue.times("WS")).toBeGreaterThan(2);
    expect(venue.times("POST")).toBe(1);
    venue.refuseWith = undefined;
    await vi.waitFor(() => expect(stream.isUp).toBe(true), POLL);
    expect(JSON.stringify(happened)).not.toContain("lk-1-secret");
  });

  it("ends with a message that is too long to be an event", async () => {
    const { names } = await up();
    venue.send("x".repeat(2 * 1024 * 1024));
    await vi.waitFor(() => expect(names()).toEqual(["up", "down", "up"]), POLL);
  });
});

describe("the listen key", () => {
  it("is asked for until the venue gives one", async () => {
    venue.answers.POST = { status: 500, body: {} };
    const { happened, stream } = openStream();
    await vi.waitFor(() => expect(happened.length).toBeGreaterThan(1), POLL);
    expect(happened[0]).toMatchObject([
      "down",
      { reason: "no_key", problem: expect.stringContaining("500") },
    ]);
    expect(venue.times("WS")).toBe(0);
    venue.answers = {};
    await vi.waitFor(() => expect(stream.isUp).toBe(true), POLL);
  });

  it("is used on while it is valid, if the venue cannot be asked", async () => {
    const { names } = await up();
    venue.answers.POST = { status: 500, body: {} };
    venue.socket.terminate();
    await vi.waitFor(() => expect(names()).toEqual(["up", "down", "up"]), POLL);
    // It is not known to be active still, so that is asked again and again.
    await vi.waitFor(() => expect(venue.times("PUT")).toBeGreaterThan(0), POLL);
  });

  it("is extended, also after a failure, and never deleted", async () => {
    venue.answers.PUT = { status: 500, body: {} };
    const { names, stream } = openStream({ extendKeyEveryMs: 20 });
    await vi.waitFor(() => expect(venue.times("PUT")).toBeGreaterThan(2), POLL);
    venue.answers.PUT = { status: 200, body: {} };
    const failed = venue.times("PUT");
    await vi.waitFor(() => expect(venue.times("PUT")).toBeGreaterThan(failed + 2), POLL);
    expect(names()).toEqual(["up"]);
    await stream.stop();
    expect(venue.times("DELETE")).toBe(0);
  });

  it.each([
    ["no key", { status: 400, body: { code: -1125, msg: "This listenKey does not exist." } }],
    ["another key", { status: 200, body: { listenKey: "lk-2-secret" } }],
  ])("is replaced, with a gap, if the extension finds %s", async (_, answer) => {
    const { happened, names } = openStream({ extendKeyEveryMs: 100 });
    await vi.waitFor(() => expect(names()).toEqual(["up"]), POLL);
    venue.answers.PUT = answer;
    venue.key = "lk-2-secret";
    await vi.waitFor(() => expect(names().slice(0, 4)).toEqual(["up", "gap", "down", "up"]), POLL);
    expect(happened[1]).toEqual(["gap", { reason: "key_expired", symbol: undefined }]);
    expect(happened[2]).toMatchObject(["down", { reason: "key_expired" }]);
    expect(venue.seen.filter((seen) => seen.startsWith("WS"))[1]).toContain("listenKey=lk-2-secret");
  });

  it("is replaced, with a gap, when the venue says that it has expired", async () => {
    const { names } = await up();
    venue.key = "lk-2-secret";
    venue.send(EXPIRED);
    await vi.waitFor(() => expect(names()).toEqual(["up", "gap", "down", "up"]), POLL);
    expect(venue.seen.at(-1)).toContain("listenKey=lk-2-secret");
  });

  it("that has expired is not used again, even if the venue gives no other", async () => {
    const { happened, stream } = await up();
    venue.answers.POST = { status: 500, body: {} };
    venue.send(EXPIRED);
    await vi.waitFor(() => expect(happened.at(-1)).toMatchObject(["down", { reason: "no_key" }]), POLL);
    expect(venue.times("WS")).toBe(1);
    expect(stream.isUp).toBe(false);
  });
});

describe("a gap", () => {
  it("is told of the symbol whose event cannot be read", async () => {
    const { happened } = await up();
    venue.send({ ...orderMessage(), o: { s: "ETHUSDT" } });
    venue.send(
      accountMessage([
        { s: "BTCUSDT", pa: "?" },
        { s: "ETHUSDT", pa: "1", ps: "BOTH" },
      ]),
    );
    venue.send("no JSON");
    await vi.waitFor(() => expect(happened).toHaveLength(8), POLL);
    expect(happened.slice(1)).toMatchObject([
      ["unreadable", { type: "ORDER_TRADE_UPDATE", symbol: "ETHUSDT" }],
      ["gap", { reason: "unreadable", symbol: "ETHUSDT" }],
      ["account", { positions: [{ symbol: "ETHUSDT" }] }],
      ["unreadable", { type: "ACCOUNT_UPDATE", symbol: "BTCUSDT" }],
      ["gap", { reason: "unreadable", symbol: "BTCUSDT" }],
      ["unreadable", { type: "other", symbol: undefined }],
      ["gap", { reason: "unreadable", symbol: undefined }],
    ]);
  });

  it("is told if the venue's time goes back, except across types and connections", async () => {
    const { happened, names } = await up();
    venue.send(orderMessage("A", AT));
    venue.send(orderMessage("A", AT));
    venue.send(accountMessage([], AT - 1));
    venue.send(orderMessage("A", AT - 1));
    venue.send(orderMessage("A", AT));
    await vi.waitFor(() => expect(names()).toHaveLength(7), POLL);
    expect(names()).toEqual(["up", "order", "order", "account", "gap", "order", "order"]);
    expect(happened[4]).toEqual(["gap", { reason: "time_back", symbol: undefined }]);
    venue.socket.terminate();
    await vi.waitFor(() => expect(names().at(-1)).toBe("up"), POLL);
    venue.send(orderMessage("A", AT - 5));
    await vi.waitFor(() => expect(names().at(-1)).toBe("order"), POLL);
    expect(names().filter((name) => name === "gap")).toHaveLength(1);
  });

  it("is told if a listener throws, and the stream goes on", async () => {
    const { happened, names, stream } = await up();
    const listener = () => {
      throw new Error("bug");
    };
    stream.on("order", listener);
    venue.send(orderMessage("A"));
    await vi.waitFor(() => expect(names()).toEqual(["up", "order", "failed", "gap"]), POLL);
    expect(happened[2]).toMatchObject(["failed", { error: { message: "bug" } }]);
    expect(happened[3]).toEqual(["gap", { reason: "handler_failed", symbol: "A" }]);
    stream.off("order", listener);
    venue.send(orderMessage("B"));
    await vi.waitFor(() => expect(names().at(-1)).toBe("order"), POLL);
    expect(stream.isUp).toBe(true);
  });

  it("survives listeners that always throw, whatever they are told", async () => {
    const { names, stream } = await up();
    const fail = () => {
      throw new Error("bug");
    };
    for (const name of ["order", "gap", "failed", "alive", "up", "down"] as const) stream.on(name, fail);
    venue.send(orderMessage("A"));
    venue.socket.terminate();
    await vi.waitFor(() => expect(names().filter((name) => name === "up")).toHaveLength(2), POLL);
  });
});

describe("stop", () => {
  it("closes the connection, without a word, and connects no more", async () => {
    const { names, stream } = await up();
    await stream.stop();
    expect(stream.isUp).toBe(false);
    await vi.waitFor(() => expect(venue.socket.readyState).toBe(venue.socket.CLOSED), POLL);
    const seen = venue.seen.length;
    // More than enough for the longest pause.
    await pause(100);
    expect(venue.seen).toHaveLength(seen);
    expect(names()).toEqual(["up"]);
  });

  it("also stops what has just begun", async () => {
    const { names, stream } = openStream();
    await stream.stop();
    await pause(100);
    expect(venue.times("WS")).toBe(0);
    expect(names()).toEqual([]);
  });
});

/** Resolves once the venue has received this many further pings. */
async function pingsOf(count: number): Promise<number> {
  let pings = 0;
  venue.socket.on("ping", () => (pings += 1));
  await vi.waitFor(() => expect(pings).toBeGreaterThanOrEqual(count), POLL);
  return count;
}

async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  await promise;
}
