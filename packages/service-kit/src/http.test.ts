import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Gauge, Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { createHttp, type Http, sharedAnswer } from "./http.ts";

const WAIT = { timeout: 10_000, interval: 10 };
const LINE_OF_METRICS = 60;
/** About 600 kB, so that 5,000 unread answers would be noticed. */
const SERIES = 10_000;

let http: Http;
let url: string;
let renderings: number;
/** Renderings wait for this. */
let rendering: Promise<void>;
let problems: () => Promise<string[]>;
beforeEach(async () => {
  const registry = new Registry();
  renderings = 0;
  rendering = Promise.resolve();
  problems = async () => [];
  new Gauge({
    name: "many",
    help: "Many series",
    labelNames: ["series"],
    registers: [registry],
    async collect() {
      renderings += 1;
      await rendering;
      for (let series = 0; series < SERIES; series++)
        this.set({ series: String(series).padStart(LINE_OF_METRICS, "0") }, series);
    },
  });
  http = createHttp(registry, () => problems());
  url = await http.listen("127.0.0.1", 0);
});
afterEach(() => http.close());

const status = async (path: string) => (await fetch(`${url}${path}`)).status;

async function connected(): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}
const requests = (path: string, count: number) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(count);

describe("/metrics", () => {
  it("is rendered once for all who ask meanwhile, and not again at once", async () => {
    const gate = Promise.withResolvers<void>();
    rendering = gate.promise;
    const asked = Array.from({ length: 50 }, () => fetch(`${url}/metrics`).then((answer) => answer.text()));
    await vi.waitFor(() => expect(renderings).toBe(1), WAIT);
    expect(await status("/healthz")).toBe(200);
    gate.resolve();
    const texts = new Set(await Promise.all(asked));
    expect(texts.size).toBe(1);
    expect([...texts][0]).toContain(`series="${"9999".padStart(LINE_OF_METRICS, "0")}"`);
    expect(renderings).toBeLessThanOrEqual(2);
  });

  it.each([
    [1, 3_000],
    [10, 300],
    [10, 3_000],
  ])(
    "pipelined on %i connections by %i is parsed and answered a few times on each, which then ends",
    async (...given) => {
      const [connections, count] = given;
      const gate = Promise.withResolvers<void>();
      rendering = gate.promise;
      const attackers = await Promise.all(Array.from({ length: connections }, connected));
      let parsed = 0;
      const onRequest = () => void (parsed += 1);
      subscribe("http.server.request.start", onRequest);
      onTestFinished(() => void unsubscribe("http.server.request.start", onRequest));
      const closed = Promise.all(attackers.map((attacker) => once(attacker, "close")));
      let received = "";
      for (const attacker of attackers) {
        attacker.on("data", (data: Buffer) => (received += data.toString("latin1")));
        attacker.write(requests("/metrics", count));
      }
      await vi.waitFor(() => expect(renderings).toBe(1), WAIT);
      expect(await status("/healthz")).toBe(200);
      gate.resolve();
      await closed;
      // These limits count work per turn of the event loop, so they hold on a slow machine too.
      expect(parsed).toBeLessThanOrEqual(6 * connections + 1);
      expect(received.match(/HTTP\/1\.1 200/g)?.length).toBeLessThanOrEqual(4 * connections);
      expect(received.match(/HTTP\/1\.1 503/g)?.length).toBeLessThanOrEqual(connections);
      expect(renderings).toBeLessThanOrEqual(2);
      expect(await status("/metrics")).toBe(200);
    },
  );

  it("unread by thousands holds no memory", async () => {
    const attackers = await Promise.all(Array.from({ length: 30 }, connected));
    await status("/metrics");
    const before = process.memoryUsage();
    const held = () => {
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external - before.heapUsed - before.external) / 2 ** 20;
    };
    for (const attacker of attackers) attacker.pause().write(requests("/metrics", 170));
    await vi.waitFor(async () => expect(await status("/healthz")).toBe(200), WAIT);
    // 5,000 answers of more than 700 kB would be 3.5 GB.
    expect(held()).toBeLessThan(200);
  });
});

describe("a connection", () => {
  it("makes room for a new one when there are too many, the one used least recently first", async () => {
    const first = await connected();
    const closed = once(first, "close");
    const kept = await connected();
    const answered = once(kept, "data");
    kept.write(requests("/healthz", 1));
    await answered;
    await Promise.all(Array.from({ length: 63 }, connected));
    await closed;
    expect(kept.destroyed).toBe(false);
    expect(await status("/healthz")).toBe(200);
  });
});

describe("/readyz", () => {
  it("is rendered once for all concurrent requests, and again for later ones", async () => {
    const gate = Promise.withResolvers<string[]>();
    let tellings = 0;
    problems = () => {
      tellings += 1;
      return tellings === 1 ? gate.promise : Promise.resolve([]);
    };
    const asked = Array.from({ length: 20 }, () => status("/readyz"));
    await vi.waitFor(() => expect(tellings).toBe(1), WAIT);
    expect(await status("/healthz")).toBe(200);
    gate.resolve(["no work moves"]);
    expect(new Set(await Promise.all(asked))).toContain(503);
    expect(await status("/readyz")).toBe(200);
  });
});

describe("text from elsewhere", () => {
  it("in an answer steers no terminal, and stays what it was", async () => {
    const text = "\u001b[2J \u009b2J \u202e\u2028";
    problems = async () => [text];
    const answer = await (await fetch(`${url}/readyz`)).text();
    expect(answer).toMatch(/^[ -~]*$/);
    expect(JSON.parse(answer)).toMatchObject({ problems: [text] });
  });
});

describe("the service's own routes", () => {
  it("answer from the moment that it has started", async () => {
    http.app.get("/plans", async () => ({ plans: 0 }));
    expect(await status("/plans")).toBe(503);
    await http.open();
    expect(await status("/plans")).toBe(200);
    expect(await status("/other")).toBe(404);
    expect(await status("/healthz?probe=1")).toBe(200);
  });
});

describe("an upgrade", () => {
  async function upgraded(): Promise<{ socket: Socket; answer: string }> {
    const socket = await connected();
    const answered = once(socket, "data");
    socket.write("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    const [answer] = (await answered) as [Buffer];
    return { socket, answer: answer.toString() };
  }

  it("is an ordinary request where the service takes none", async () => {
    await http.open();
    expect((await upgraded()).answer).toContain("HTTP/1.1 200");
  });

  it("is the service's to take, and its connection makes room for no other", async () => {
    let taken: Duplex | undefined;
    http.app.addHook("preClose", async () => void taken?.destroy());
    http.app.server.on("upgrade", (_, socket) => {
      taken = socket;
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    });
    await http.open();
    const { socket, answer } = await upgraded();
    expect(answer).toContain("HTTP/1.1 101");
    const next = await connected();
    const closed = once(next, "close");
    await Promise.all(Array.from({ length: 64 }, connected));
    await closed;
    expect(socket.destroyed).toBe(false);
  });
});

describe("a shared answer", () => {
  it("is never one from before it was asked for, and keeps its pause", async () => {
    let value = 0;
    const begun: number[] = [];
    const ask = sharedAnswer(async () => {
      begun.push(performance.now());
      return value;
    }, 50);
    for (value = 1; value <= 4; value++) expect(await ask()).toBe(value);
    const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
    // A timer may fire a millisecond early.
    expect(Math.min(...pauses)).toBeGreaterThan(48);
  });

  it("that is an error is everybody's, and is tried again", async () => {
    let times = 0;
    const ask = sharedAnswer(async () => {
      times += 1;
      if (times === 1) throw new Error("no answer");
      return times;
    }, 0);
    const both = await Promise.allSettled([ask(), ask()]);
    expect(both.map(({ status: outcome }) => outcome)).toEqual(["rejected", "rejected"]);
    expect(await ask()).toBe(2);
  });
});
