/** What lets nobody through but our own page, and nobody act but an operator: each guard on a real server. */
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { createKeys } from "@quantum/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Me, Refused } from "./api.ts";
import { PASSWORD, startTestConsole, type TestConsole } from "./console.fixture.ts";

const keys = createKeys();
const KILL_OFF = { reason: "tried" };

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const errorOf = ({ json }: { json: unknown }) => (json as Refused).error;

describe("a name that is not the console's own", () => {
  it.each(["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example", "[::1]"])(
    "%s gets nothing, whatever it asks for: it may be another site's that leads here",
    async (host) => {
      const console = await startTestConsole(redis);
      for (const path of ["/", "/api/me", "/api/now", "/nothing"]) {
        const answer = await console.send(path, { headers: { host } });
        expect(answer.status).toBe(421);
        expect(errorOf(answer)).toContain("CONSOLE_ORIGINS");
      }
    },
  );

  it("is one that CONSOLE_ORIGINS leaves out", async () => {
    const console = await startTestConsole(redis, {
      env: { CONSOLE_ORIGINS: "https://console.example.com" },
    });
    const statusOf = async (host: string) => (await console.send("/api/me", { headers: { host } })).status;
    expect(await statusOf("console.example.com")).toBe(200);
    expect(await statusOf("CONSOLE.example.com")).toBe(200);
    expect(await statusOf("console.example.com:444")).toBe(421);
    expect(await statusOf(`127.0.0.1:${console.port}`)).toBe(421);
  });
});

describe("a change", () => {
  const refusals: [
    what: string,
    headers: (console: TestConsole) => Record<string, string | undefined>,
    status: number,
  ][] = [
    ["without an origin", () => ({ origin: undefined }), 403],
    [
      "from Grafana, beside the console",
      () => ({ origin: "http://127.0.0.1:3000", "sec-fetch-site": "same-site" }),
      403,
    ],
    [
      "from a page of another site",
      () => ({ origin: "https://evil.example", "sec-fetch-site": "cross-site" }),
      403,
    ],
    ["from nowhere, as a sandboxed page's is", () => ({ origin: "null" }), 403],
    ["from our other name", ({ port }) => ({ origin: `http://localhost:${port}` }), 403],
    ["from our name over https", ({ port }) => ({ origin: `https://127.0.0.1:${port}` }), 403],
    ["that says itself it comes from beside us", () => ({ "sec-fetch-site": "same-site" }), 403],
    ["without a token", () => ({ "x-csrf-token": undefined }), 403],
    ["with another token", () => ({ "x-csrf-token": "x".repeat(43) }), 403],
    ["with a shorter token", () => ({ "x-csrf-token": "x" }), 403],
    ["without a session", () => ({ cookie: undefined }), 401],
    ["with a session that is none", () => ({ cookie: "quantum_console_1=abc" }), 401],
  ];

  it.each(refusals)("%s is refused, and nothing is changed", async (_, headers, status) => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    const answer = await console.act("kill-on", {}, { ...session, ...headers(console) });
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).not.toBe("");
    expect(await answerOfRedis()).toBeNull();
  });

  it("of a viewer is refused", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("vic");
    const answer = await console.act("kill-on", {}, session);
    expect([answer.status, errorOf(answer)]).toEqual([403, expect.stringContaining("vic may look")]);
    expect(await answerOfRedis()).toBeNull();
  });

  it("of an operator is refused where the console has no Redis user for it", async () => {
    const console = await startTestConsole(redis, { env: { CONSOLE_OPERATOR_REDIS_URL: "" } });
    const session = await console.login("ann");
    const answer = await console.act("kill-off", KILL_OFF, session);
    expect([answer.status, errorOf(answer)]).toEqual([
      403,
      expect.stringContaining("CONSOLE_OPERATOR_REDIS_URL"),
    ]);
  });

  it("that is no JSON is refused, as a form of another site sends it", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
    ]) {
      const headers = { ...session, "content-type": type };
      const answer = await console.send("/api/actions/kill-on", { method: "POST", body: "{}", headers });
      expect(answer.status).toBe(415);
    }
    expect(await answerOfRedis()).toBeNull();
  });

  it("is no GET", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    expect((await console.send("/api/actions/kill-on", { headers: session })).status).toBe(404);
  });
});

/** What the kill switch holds. */
async function answerOfRedis(): Promise<string | null> {
  const { connectForCommands, disconnect } = await import("@quantum/redis");
  const client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
  try {
    return await client.get(keys.killSwitch);
  } finally {
    await disconnect(client);
  }
}

describe("an answer", () => {
  it("is for our own page: the browser shows it nowhere else, keeps it nowhere, and runs nothing of elsewhere", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    for (const path of [
      ...["/", "/api/me", "/api/commands", "/api/nothing", "/nothing"],
      // What a router alone would answer.
      ...["/%", "/%ff", "/api/%", "/api/symbols/%ff", `/api/symbols/${"x".repeat(5_000)}`],
    ]) {
      const { headers } = await console.send(path, { headers: session });
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": path.startsWith("/api") ? "no-store" : "no-cache",
      });
      const policy = headers["content-security-policy"] ?? "";
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("of a file is asked for again, and sent only if it has changed", async () => {
    const console = await startTestConsole(redis);
    const { etag } = (await console.send("/")).headers;
    expect((await console.send("/", { headers: { "if-none-match": etag } })).status).toBe(304);
  });
});

describe("without a login", () => {
  const READS = [
    "/api/now",
    "/api/events",
    "/api/plans",
    "/api/plans/67e6da21fa9fe506",
    "/api/dead-letters",
    "/api/symbols",
    "/api/symbols/BTCUSDT",
    "/api/audit",
    "/api/verify",
    "/api/commands",
  ];

  it.each(READS)("%s says nothing where there are users", async (path) => {
    const console = await startTestConsole(redis);
    const answer = await console.send(path);
    expect([answer.status, errorOf(answer)]).toEqual([401, expect.stringContaining("log in")]);
  });

  it("the page itself is there, and /api/me says that nobody has logged in", async () => {
    const console = await startTestConsole(redis);
    const page = await console.send("/");
    expect([page.status, page.headers["content-type"]]).toEqual([200, expect.stringContaining("text/html")]);
    expect((await console.send("/api/me")).json).toMatchObject({
      byProxy: false,
      noActions: expect.stringContaining("Log in"),
    });
    expect((await console.send("/api/me")).json).not.toHaveProperty("role");
  });

  it("everybody of this machine may look where there are no users yet, and nobody may act", async () => {
    const console = await startTestConsole(redis, { users: [] });
    const me = (await console.send("/api/me")).json as Me;
    expect(me).toMatchObject({
      role: "viewer",
      noActions: expect.stringContaining("permitctl console user add"),
    });
    expect((await console.send("/api/commands")).status).toBe(200);
    expect((await console.act("kill-on", {}, {})).status).toBe(403);
  });

  it.each([
    ["listens to more than this machine", { HTTP_HOST: "0.0.0.0" }],
    ["has another name as well", { CONSOLE_ORIGINS: "http://127.0.0.1:8050,https://console.example.com" }],
    ["is behind a proxy", { CONSOLE_PROXIES: "127.0.0.1" }],
  ])(
    "nothing is shown where there are no users and the console %s",
    async (_, env: Record<string, string>) => {
      const console = await startTestConsole(redis, { users: [], env });
      const headers = env["CONSOLE_ORIGINS"] === undefined ? {} : { host: "127.0.0.1:8050" };
      const me = (await console.send("/api/me", { headers })).json as Me;
      expect(me.role).toBeUndefined();
      expect(me.noActions).toContain("permitctl console user add");
      expect((await console.send("/api/now", { headers })).status).toBe(401);
    },
  );

  it("a request that the browser says is another page's is refused", async () => {
    const console = await startTestConsole(redis, { users: [] });
    for (const site of ["same-site", "cross-site"])
      for (const path of ["/api/now", "/%61pi/now"])
        expect((await console.send(path, { headers: { "sec-fetch-site": site } })).status).toBe(403);
    // A link to the page may stand anywhere.
    expect((await console.send("/", { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(200);
  });
});

describe("a reverse proxy", () => {
  const HEADER = "x-console-user";
  const env = { CONSOLE_PROXIES: "127.0.0.1", CONSOLE_PROXY_USER_HEADER: "X-Console-User" };

  it("names the user, whose changes need the origin and a token all the same", async () => {
    const console = await startTestConsole(redis, { env });
    const headers = { [HEADER]: "pat@example.com" };
    const me = (await console.send("/api/me", { headers })).json as Me;
    expect(me).toMatchObject({ user: "pat@example.com", role: "operator", byProxy: true, noActions: "" });
    expect((await console.act("kill-on", { preview: true }, headers)).status).toBe(403);
    const withToken = { ...headers, "x-csrf-token": me.csrf };
    expect(
      (await console.act("kill-on", { preview: true }, { ...withToken, origin: "http://127.0.0.1:3000" }))
        .status,
    ).toBe(403);
    expect((await console.act("kill-on", { preview: true }, withToken)).status).toBe(200);
    const another = { [HEADER]: "ann", "x-csrf-token": me.csrf };
    expect((await console.act("kill-on", { preview: true }, another)).status).toBe(403);
  });

  it("that names nobody we know is refused", async () => {
    const console = await startTestConsole(redis, { env });
    for (const name of ["mallory", "ann, ann", "ANN", "__proto__"]) {
      const answer = await console.send("/api/me", { headers: { [HEADER]: name } });
      expect([answer.status, errorOf(answer)]).toEqual([403, expect.stringContaining("is no user here")]);
    }
  });

  it("that is none of ours is refused, and with the header off nobody is believed", async () => {
    const elsewhere = await startTestConsole(redis, { env: { ...env, CONSOLE_PROXIES: "192.0.2.1" } });
    for (const path of ["/", "/api/me"])
      expect((await elsewhere.send(path, { headers: { [HEADER]: "ann" } })).status).toBe(403);
    const off = await startTestConsole(redis);
    expect((await off.send("/api/me", { headers: { [HEADER]: "ann" } })).json).not.toHaveProperty("user");
  });

  it("tells the browser's address, which is believed from it alone", async () => {
    const fail = (console: TestConsole, user: string, forwarded: string) =>
      console.send("/api/login", {
        method: "POST",
        body: { user, password: "wrong password" },
        headers: { "x-forwarded-for": forwarded },
      });
    const proxied = await startTestConsole(redis, { env: { CONSOLE_PROXIES: "127.0.0.1" } });
    await fail(proxied, "ann", "198.51.100.1, 203.0.113.7");
    expect(proxied.log.warn.mock.calls.at(-1)?.[0]).toMatchObject({ address: "203.0.113.7" });
    for (const noAddress of ["203.0.113.7:4711", "unknown", "x".repeat(1_000)]) {
      await fail(proxied, "vic", `198.51.100.1, ${noAddress}`);
      expect(proxied.log.warn.mock.calls.at(-1)?.[0]).toMatchObject({ address: "127.0.0.1" });
    }
    const direct = await startTestConsole(redis);
    await fail(direct, "ann", "203.0.113.7");
    expect(direct.log.warn.mock.calls.at(-1)?.[0]).toMatchObject({ address: "127.0.0.1" });
  });
});

describe("a login", () => {
  it("sets a cookie that no script sees, no other site sends and no other port shares", async () => {
    const console = await startTestConsole(redis);
    const answer = await console.send("/api/login", {
      method: "POST",
      body: { user: "ann", password: PASSWORD },
    });
    const [cookie = ""] = answer.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(new RegExp(`^quantum_console_${console.port}=[\\w-]{43}; `));
    expect(cookie.split("; ").slice(1).toSorted()).toEqual(["HttpOnly", "Path=/", "SameSite=Strict"]);
    expect(answer.json).toMatchObject({ user: "ann", role: "operator", byProxy: false, noActions: "" });
    expect(answer.text).not.toContain(PASSWORD);
  });

  it("over https sets one that goes over https alone, and that no other host of the domain can set", async () => {
    const origin = "https://console.example.com";
    const console = await startTestConsole(redis, { env: { CONSOLE_ORIGINS: origin } });
    const answer = await console.send("/api/login", {
      method: "POST",
      body: { user: "ann", password: PASSWORD },
      headers: { host: "console.example.com", origin },
    });
    const [cookie = ""] = answer.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^__Host-quantum_console=/);
    expect(cookie).toContain("; Secure");
  });

  it("needs the console's own origin", async () => {
    const console = await startTestConsole(redis);
    const headers = { origin: "http://127.0.0.1:3000" };
    const answer = await console.send("/api/login", {
      method: "POST",
      body: { user: "ann", password: PASSWORD },
      headers,
    });
    expect([answer.status, answer.headers["set-cookie"]]).toEqual([403, undefined]);
  });

  it("says the same of a wrong password, a user without one and nobody", async () => {
    const console = await startTestConsole(redis);
    const answers = await Promise.all(
      [
        ["ann", "wrong password"],
        ["pat@example.com", PASSWORD],
        ["nobody", PASSWORD],
        ["__proto__", PASSWORD],
      ].map(([user, password]) => console.send("/api/login", { method: "POST", body: { user, password } })),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
  });

  it("is refused without a look after five that failed, and says when to try again", async () => {
    const console = await startTestConsole(redis);
    const attempt = (password: string) =>
      console.send("/api/login", { method: "POST", body: { user: "ann", password } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => attempt("wrong password")));
    expect(
      answers
        .map(({ status }) => String(status))
        .toSorted()
        .join(" "),
    ).toBe("401 401 401 401 401 429 429 429");
    const limited = await attempt(PASSWORD);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    expect(await console.registry.getSingleMetricAsString("quantum_console_logins_total")).toContain(
      'outcome="limited"} 4',
    );
  });

  it("begins a session that a logout ends", async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("vic");
    expect((await console.send("/api/commands", { headers: session })).status).toBe(200);
    expect(
      (await console.send("/api/logout", { method: "POST", headers: { cookie: session.cookie } })).status,
    ).toBe(403);
    const out = await console.send("/api/logout", { method: "POST", headers: session });
    expect([out.status, out.json]).toEqual([200, expect.not.objectContaining({ user: "vic" })]);
    expect((await console.send("/api/commands", { headers: session })).status).toBe(401);
  });

  it("ends the session that the browser had before", async () => {
    const console = await startTestConsole(redis);
    const before = await console.login("vic");
    const body = { user: "ann", password: PASSWORD };
    await console.send("/api/login", { method: "POST", body, headers: { cookie: before.cookie } });
    expect((await console.send("/api/commands", { headers: before })).status).toBe(401);
  });
});
