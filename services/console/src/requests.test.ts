/** Requests of any shape, from anybody: none but an operator's own changes something, and no answer lacks the headers. */
import { createKeys } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestConsole } from "./console.fixture.ts";

const keys = createKeys();
const LIMIT_MS = 120_000;
const RUNS = 1_500;
/** More than any route takes. */
const LARGE = 2_000_000;

const PATHS = [
  ...[
    "/",
    "/index.html",
    "/now.mjs%00.css",
    "/main.mjs/../../src/api.ts",
    "/../../etc/passwd",
    "/%",
    "//api/me",
  ],
  ...[
    "/api/me",
    "/api/plans",
    "/api/plans/67e6da21fa9fe506",
    "/api/dead-letters",
    "/api/symbols/A",
    "/api/audit",
  ],
  ...["/api/login", "/api/logout", "/api/commands", "/api//me", "/api/%2e%2e/", "/%61pi/actions/kill-on"],
  ...["kill-on", "kill-off", "drop", "hold-accept", "force", "__proto__"].map(
    (name) => `/api/actions/${name}`,
  ),
];
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
/** With another method, Node's client does not say where the body ends. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);
const QUERIES = [
  ...[
    "",
    "?cursor=1-1",
    "?cursor[]=1",
    "?symbol=a&symbol=b",
    "?fromMs=1e400",
    "?fromMs=-1",
    "?reason=%00%ff",
  ],
  ...["?toMs=9007199254740993", "?__proto__=1", "?constructor=1", `?reason=${"y".repeat(3_000)}`],
];
const BODIES = [
  ...[undefined, "", "{}", "null", "[]", '"a"', '{"__proto__":{"preview":true}}', '{"preview":"yes"}'],
  ...['{"symbol":"\\ud800","preview":true}', '{"preview":true,"shown":{}}', '{"user":"ann","password":"x"}'],
  ...["[".repeat(5_000), JSON.stringify({ reason: "x".repeat(LARGE) })],
];
const TYPES = [
  ...["application/json", "application/json; charset=utf-16", "application/json, text/plain"],
  ...["text/plain", "application/x-www-form-urlencoded", "x".repeat(500), undefined],
];

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedisServer();
  client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(client);
  await redis.stop();
});

it(
  "of any shape",
  async () => {
    const console = await startTestConsole(redis);
    const visitors: Record<string, Record<string, string>> = {
      nobody: {},
      viewer: await console.login("vic"),
      operator: await console.login("ann"),
      // As another site could have the browser send it.
      "operator without a token": {},
    };
    const { cookie = "" } = visitors["operator"] ?? {};
    visitors["operator without a token"] = { cookie };
    const request = fc.record({
      path: fc.constantFrom(...PATHS),
      method: fc.constantFrom(...METHODS),
      query: fc.constantFrom(...QUERIES),
      body: fc.constantFrom(...BODIES),
      type: fc.constantFrom(...TYPES),
      who: fc.constantFrom(...Object.keys(visitors)),
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ path, method, query, body, type, who }) => {
        await client.del(keys.killSwitch);
        const answer = await console
          .send(`${path}${query}`, {
            method,
            body: WITH_BODY.has(method) ? body : undefined,
            headers: { ...visitors[who], "content-type": type },
          })
          // The rest of a body that is refused is not read.
          .catch((error: NodeJS.ErrnoException) => error.code);
        const mayChange = who === "operator" && method === "POST";
        const isChanged = (await client.get(keys.killSwitch)) !== null;
        expect(isChanged && !mayChange).toBe(false);
        if (answer === "ECONNRESET" || answer === "EPIPE") return;
        if (typeof answer !== "object") throw new Error(answer);
        expect(answer.status).toBeLessThan(500);
        expect(answer.headers["x-content-type-options"]).toBe("nosniff");
        expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
        if (path !== "/api/logout" || answer.status !== 200) return;
        if (who === "viewer") visitors[who] = await console.login("vic");
        if (who === "operator") visitors[who] = await console.login("ann");
      }),
      { numRuns: RUNS },
    );
  },
  LIMIT_MS,
);
