/** The file of users while the console runs. */
import { chmod, rm } from "node:fs/promises";
import { eventually, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Me } from "./api.ts";
import { PASSWORD, quickHash, startTestConsole, type TestConsole } from "./console.fixture.ts";

/** With the same password in each file. */
const ANN = { name: "ann", role: "operator", password: quickHash(PASSWORD) } as const;
const PATIENCE_MS = 10_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const me = async (console: TestConsole) => (await console.send("/api/me")).json as Me;
const untilProblem = (console: TestConsole, problem: RegExp) =>
  eventually(
    async () => (await console.running.readiness?.())?.some((text) => problem.test(text)) || undefined,
    PATIENCE_MS,
    String(problem),
  );

it("opens the console to nobody when it vanishes: the users of before stay", async () => {
  const console = await startTestConsole(redis);
  await rm(console.usersFile);
  await untilProblem(console, /^CONSOLE_USERS_FILE: .* is gone; the one that was read before is in use$/);
  expect((await me(console)).role).toBeUndefined();
  await console.login("ann");
});

it("that others may read is not believed: the users of before stay", async () => {
  const console = await startTestConsole(redis);
  await chmod(console.usersFile, 0o644);
  await untilProblem(console, /chmod 600/);
  const session = await console.login("ann");
  expect((await console.send("/api/commands", { headers: session })).status).toBe(200);
});

it("closes the console to everybody else with its first user", async () => {
  const console = await startTestConsole(redis, { users: [] });
  expect((await me(console)).role).toBe("viewer");
  await console.addUser(ANN);
  const isClosed = async () => (await me(console)).role === undefined || undefined;
  await eventually(isClosed, PATIENCE_MS, "a console that is closed");
  expect((await console.send("/api/commands")).status).toBe(401);
  await console.login("ann");
});

it("gives a role that counts for sessions that have begun", async () => {
  const console = await startTestConsole(redis, { users: [ANN] });
  const session = await console.login("ann");
  expect((await console.act("kill-on", { preview: true }, session)).status).toBe(200);
  await console.addUser({ ...ANN, role: "viewer" });
  const isRefused = async () =>
    (await console.act("kill-on", { preview: true }, session)).status === 403 || undefined;
  await eventually(isRefused, PATIENCE_MS, "a viewer who may not act");
  expect((await console.send("/api/commands", { headers: session })).status).toBe(200);
});

it("that is bad is named at the start together with every other file that is", async () => {
  const starting = startTestConsole(redis, {
    env: {
      REDIS_URL: "redis://viewer@127.0.0.1:1",
      REDIS_PASSWORD_FILE: `${redis.dir}/no-viewer`,
      CONSOLE_OPERATOR_REDIS_URL: "redis://operator@127.0.0.1:1",
      CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: `${redis.dir}/no-operator`,
      CONSOLE_USERS_FILE: redis.dir,
    },
  });
  await expect(starting).rejects.toMatchObject({
    violations: [
      expect.stringMatching(/^REDIS_PASSWORD_FILE=.*ENOENT/),
      expect.stringMatching(/^CONSOLE_OPERATOR_REDIS_PASSWORD_FILE=.*ENOENT/),
      expect.stringMatching(/^CONSOLE_USERS_FILE: .* is not a file$/),
    ],
  });
});
