/** What browsers are shown: events, what Redis's absence leaves, and when a stream ends. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createKeys } from "@quantum/contract";
import { removeUser } from "@quantum/operator";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { eventually, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Events, Now } from "./api.ts";
import { openEvents, PASSWORD, quickHash, startTestConsole } from "./console.fixture.ts";

const keys = createKeys();
const PATIENCE_MS = 10_000;
const PLAN = "67e6da21fa9fe506";

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedisServer({ appendonly: true });
  client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
});
beforeEach(async () => {
  await client.flushall();
});
afterAll(async () => {
  await disconnect(client);
  await redis.stop();
});

type Told = Awaited<ReturnType<typeof openEvents>>["events"];

function seen<Name extends keyof Events>(
  events: Told,
  name: Name,
  is: (data: Events[Name]) => boolean,
  what: string,
): Promise<Events[Name]> {
  const probe = async () =>
    events
      .filter((event) => event.name === name)
      .map(({ data }) => data as Events[Name])
      .find(is);
  return eventually(probe, PATIENCE_MS, what);
}

describe("an event stream", () => {
  it("asks services where they are said to be: in containers their names lead nowhere", async () => {
    const instance = "governor@a-container:8044";
    const answers: Record<string, object> = {
      "/healthz": { version: "0.1.0", commit: "0123456789ab", instance },
      "/readyz": { problems: [] },
    };
    const governor = createServer(({ url = "" }, answer) => answer.end(JSON.stringify(answers[url])));
    await once(governor.listen(0, "127.0.0.1"), "listening");
    const reader = connectForCommands({
      url: redis.url,
      name: `${instance}:blocking`,
      onError: () => undefined,
    });
    await reader.ping();
    const { port } = governor.address() as AddressInfo;
    const console = await startTestConsole(redis, {
      env: { CONSOLE_SERVICE_URLS: `http://127.0.0.1:${port}` },
    });
    const { events } = await openEvents(console, await console.login("vic"));
    const isAsked = ({ services }: Now) => services.some(({ probe }) => probe?.ready === true);
    const { services } = await seen(events, "now", isAsked, "the governor's answer");
    expect(services).toMatchObject([{ instance, alive: true, probe: { build: { commit: "0123456789ab" } } }]);
    await disconnect(reader);
    const closed = once(governor, "close");
    governor.closeAllConnections();
    governor.close();
    await closed;
  });

  it("begins with the present, and tells a verdict", async () => {
    const console = await startTestConsole(redis);
    const { events } = await openEvents(console, await console.login("vic"));
    const first = await seen(events, "now", () => true, "the first event");
    expect(events[0]?.name).toBe("now");
    expect(first).toMatchObject({ killSwitch: { on: false }, waiting: [], deadLetters: 0 });
    expect(first.away).toBeUndefined();

    const fields = {
      plan_id: PLAN,
      symbol: "BTCUSDT",
      outcome: "BLOCKED",
      reason: "missing_p33",
      wait_ms: "1201",
    };
    await client.xadd(keys.streams.result, "*", ...Object.entries(fields).flat());
    const { rows } = await seen(events, "ended", () => true, "the verdict");
    expect(rows).toMatchObject([{ planId: PLAN, outcome: "BLOCKED", reason: "missing_p33", waitMs: 1201 }]);
    await seen(events, "now", ({ lastBlock }) => lastBlock?.planId === PLAN, "the last BLOCK");
  });

  it("ends with its session", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("vic");
    const stream = await openEvents(console, session);
    await seen(stream.events, "now", () => true, "the first event");
    expect((await console.send("/api/logout", { method: "POST", headers: session })).status).toBe(200);
    await stream.untilOver();
  });

  it("ends with its user, whose session ends as well", async () => {
    const console = await startTestConsole(redis);
    const [gone, stays] = [await console.login("vic"), await console.login("ann")];
    const stream = await openEvents(console, gone);
    await removeUser(console.usersFile, "vic");
    await stream.untilOver();
    expect((await console.send("/api/commands", { headers: gone })).status).toBe(401);
    expect((await console.send("/api/commands", { headers: stays })).status).toBe(200);
  });

  it("ends with its password", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    const stream = await openEvents(console, session);
    await console.addUser({ name: "ann", role: "operator", password: quickHash(`${PASSWORD} 2`) });
    await stream.untilOver();
    expect((await console.send("/api/me", { headers: session })).json).not.toHaveProperty("user");
    await console.login("ann", `${PASSWORD} 2`);
  });

  it("is no HEAD", async () => {
    const console = await startTestConsole(redis);
    expect(
      (await console.send("/api/events", { method: "HEAD", headers: await console.login("vic") })).status,
    ).toBe(404);
  });
});

describe("a key of the wrong type", () => {
  it("is named, wherever something cannot be read because of it", async () => {
    const console = await startTestConsole(redis);
    await client.set(keys.streams.operatorAudit, "odd");
    await client.set(keys.exit, "odd");
    await client.sadd(keys.orderSymbols, "BTCUSDT");
    await client.set(keys.ledger("BTCUSDT"), "odd");
    const headers = await console.login("vic");
    const { error } = (await console.send("/api/audit", { headers })).json as { error: string };
    expect(error).toContain(
      `${keys.streams.operatorAudit} is a string but must be a stream: rename or delete it`,
    );
    const { away } = (await console.send("/api/now", { headers })).json as Now;
    for (const key of [keys.exit, keys.ledger("BTCUSDT")])
      expect(away?.problem).toContain(`${key} is a string but must be a hash: rename or delete it`);
  });
});

describe("a search", () => {
  it("takes empty fields, as a form sends them, for none", async () => {
    const console = await startTestConsole(redis);
    await client.xadd(keys.streams.result, "*", "plan_id", PLAN, "symbol", "BTCUSDT", "outcome", "BLOCKED");
    const headers = await console.login("vic");
    const path = "/api/plans?symbol=&outcome=&reason=&issuer=&fromMs=&toMs=&cursor=";
    expect((await console.send(path, { headers })).json).toMatchObject({ rows: [{ planId: PLAN }] });
  });
});

describe("without Redis", () => {
  it("the console goes on with what it knows, says since when, and comes back", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    await console.act("kill-on", { reason: "a test" }, session);
    const { events } = await openEvents(console, session);
    await seen(events, "now", ({ killSwitch }) => killSwitch.on, "the halt");
    await redis.kill();
    const away = await seen(events, "now", ({ away }) => away !== undefined, "that Redis is away");
    expect(away).toMatchObject({
      killSwitch: { on: true },
      killRecord: { who: "ann@console", reason: "a test" },
    });
    expect(away.away?.sinceMs).toBeGreaterThan(Date.now() - PATIENCE_MS * 2);
    expect(await console.running.readiness?.()).toEqual([expect.stringMatching(/^Redis: /)]);
    expect((await console.send("/api/me", { headers: session })).status).toBe(200);
    expect((await console.send("/api/audit", { headers: session })).status).toBe(503);
    const answers = [
      await console.act("kill-on", {}, session),
      await console.act("kill-off", { preview: true }, session),
    ];
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [503, expect.stringContaining("whether anything was changed is not known")],
      [503, expect.stringContaining("nothing was changed")],
    ]);
    await redis.restart();
    const count = events.length;
    const back = async () =>
      events.slice(count).some(({ data }) => (data as Now).away === undefined) || undefined;
    await eventually(back, PATIENCE_MS, "that Redis is back");
    expect(await console.running.readiness?.()).toEqual([]);
  });

  it("that has never answered, everything counts as halted", async () => {
    const console = await startTestConsole(redis, { env: { REDIS_URL: "redis://viewer:x@127.0.0.1:1" } });
    const now = (await console.send("/api/now", { headers: await console.login("vic") })).json as Now;
    expect(now.killSwitch).toEqual({ on: true, text: expect.stringContaining("not known") });
    expect(now.away?.problem).toContain("ECONNREFUSED");
  });
});

describe("a change of the number of partitions", () => {
  const blocked = (planId: string, { streams } = keys) => {
    const entry = { plan_id: planId, symbol: "ETHUSDT", outcome: "BLOCKED", wait_ms: "7" };
    return client.xadd(streams.result, "*", ...Object.entries(entry).flat());
  };

  it("is followed: shown while it lasts, and then only what the new ones hold", async () => {
    const console = await startTestConsole(redis, {
      env: { REDIS_URL: redis.url, CONSOLE_OPERATOR_REDIS_URL: redis.url },
    });
    const headers = await console.login("vic");
    const { events } = await openEvents(console, headers);
    await seen(events, "now", ({ away }) => away === undefined, "the first event");
    await blocked(PLAN);
    await seen(events, "now", ({ lastBlock }) => lastBlock?.planId === PLAN, "the last BLOCK");

    await client.set(keys.partitions, "1>3");
    const { away } = await seen(events, "now", ({ away }) => away !== undefined, "that it is not known");
    const problem = 'quantum:partitions says "1>3": a change of their number has not ended';
    expect(away?.problem).toContain(problem);
    const refused = await console.send("/api/plans", { headers });
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining("has not ended")]);
    expect(await console.running.readiness?.()).toEqual([expect.stringContaining(problem.slice(0, 20))]);

    events.length = 0;
    await client.set(keys.partitions, "3");
    const back = await seen(events, "now", ({ away }) => away === undefined, "that it is known");
    expect(back.lastBlock).toBeUndefined();
    expect(console.log.info).toHaveBeenCalledWith(
      { before: 1, partitions: 3 },
      "the number of partitions has been changed, following it",
    );
    const other = "67e6da21fa9fe507";
    const third = createKeys({ partition: 2 });
    // Its stream is read soon, and what was there before is not told.
    const told = async () => {
      await blocked(other, third);
      return events.some(({ name }) => name === "ended") || undefined;
    };
    await eventually(told, PATIENCE_MS, "a verdict of the third partition");
    const ended = events.filter(({ name }) => name === "ended").map(({ data }) => data as Events["ended"]);
    expect(new Set(ended.flatMap(({ rows }) => rows.map(({ planId }) => planId)))).toEqual(new Set([other]));
    const { rows } = (await console.send("/api/plans", { headers })).json as { rows: { planId: string }[] };
    expect(new Set(rows.map(({ planId }) => planId))).toEqual(new Set([other]));

    events.length = 0;
    await client.del(keys.partitions);
    await seen(events, "now", ({ lastBlock }) => lastBlock?.planId === PLAN, "what one partition holds");
  });
});

describe("an action", () => {
  it("says what it would do and changes nothing, then does it and is on record with name and reason", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    const preview = await console.act("kill-on", { preview: true }, session);
    expect(preview.status).toBe(200);
    expect(await client.get(keys.killSwitch)).toBeNull();
    expect((await console.act("kill-on", {}, session)).status).toBe(200);
    expect(await client.get(keys.killSwitch)).toBe("1");

    for (const reason of [undefined, "", "   "]) {
      const refused = await console.act("kill-off", { reason }, session);
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("reason")]);
    }
    expect(await client.get(keys.killSwitch)).toBe("1");
    expect((await console.act("kill-off", { preview: true }, session)).status).toBe(200);
    expect(await client.get(keys.killSwitch)).toBe("1");
    expect((await console.act("kill-off", { reason: "all is <b>well</b>" }, session)).status).toBe(200);
    expect(await client.get(keys.killSwitch)).toBeNull();

    const audit = (await console.send("/api/audit", { headers: session })).json as { rows: unknown[] };
    expect(audit.rows).toMatchObject([
      { action: "kill.off", who: "ann@console", reason: "all is <b>well</b>" },
      { action: "kill.on", who: "ann@console", reason: "" },
    ]);
    const metric = await console.registry.getSingleMetricAsString("quantum_console_actions_total");
    expect(metric).toContain('{action="kill-off",outcome="done"} 1');
  });

  it("that is no longer possible is refused", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    for (const [name, body] of [
      ["drop", { ids: ["1-1"] }],
      ["requeue", { ids: ["1-1"] }],
      ["hold-accept", { symbol: "BTCUSDT" }],
      ["disarm-clear", {}],
      ["exchange-resume", {}],
    ] as const)
      expect([name, (await console.act(name, { ...body, reason: "tried" }, session)).status]).toEqual([
        name,
        409,
      ]);
    for (const body of [{ ids: [] }, { ids: ["x"] }, { ids: "1-1" }, { ids: ["1-1"], more: 1 }])
      expect((await console.act("drop", { ...body, reason: "tried" }, session)).status).toBe(400);
  });
});
