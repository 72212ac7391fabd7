/** A console on a real port of this process, with a Redis of the test, and a browser's requests. */
import { randomBytes, scryptSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { addUser, type ConsoleUser, type PasswordHash } from "@quantum/operator";
import { eventually, freePort, type TestRedis, urlOfUser } from "@quantum/harness";
import { createHttp, readConfig } from "@quantum/service-kit";
import { Registry } from "prom-client";
import { expect, onTestFinished, vi } from "vitest";
import type { Me } from "./api.ts";
import { configSource } from "./config.ts";
import { startConsole } from "./start.ts";

const OVER_WITHIN_MS = 10_000;

export const PASSWORD = "correct horse battery";

/** With the least cost that a file may have: there are many logins. */
export function quickHash(password: string): PasswordHash {
  const cost = { N: 2 ** 14, r: 8, p: 1 };
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, cost);
  return { ...cost, salt: salt.toString("base64"), hash: hash.toString("base64") };
}

export const USERS: readonly ConsoleUser[] = [
  { name: "ann", role: "operator", password: quickHash(PASSWORD) },
  { name: "vic", role: "viewer", password: quickHash(PASSWORD) },
  { name: "pat@example.com", role: "operator" },
];

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: unknown;
}

export interface Sent {
  method?: string;
  headers?: Record<string, string | undefined>;
  body?: unknown;
}

export type TestConsole = Awaited<ReturnType<typeof startTestConsole>>;

/** Until the test ends. @param users undefined: the file is not there yet */
export async function startTestConsole(
  redis: TestRedis,
  {
    env = {},
    users = USERS,
  }: { env?: Record<string, string>; users?: readonly ConsoleUser[] | undefined } = {},
) {
  const usersFile = join(redis.dir, `users-${await freePort()}.json`);
  if (users.length > 0) await writeFile(usersFile, JSON.stringify({ users }), { mode: 0o600 });
  const { config } = readConfig(configSource, {
    REDIS_URL: urlOfUser(redis.url, "viewer"),
    CONSOLE_OPERATOR_REDIS_URL: urlOfUser(redis.url, "operator"),
    CONSOLE_USERS_FILE: usersFile,
    ...env,
  });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const registry = new Registry();
  const http = createHttp(registry, async () => []);
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const running = await startConsole({
    config,
    log: log as never,
    registry,
    http: http.app,
    url,
    instance: `console@test:${port}`,
  });
  await http.listen("127.0.0.1", port);
  await http.open();
  await running.begin?.();
  onTestFinished(async () => {
    await running.stop?.();
    await http.close();
  });

  /** As its own page sends it, but for what is given; a header that is undefined is left out. */
  const send = (path: string, { method = "GET", headers = {}, body }: Sent = {}): Promise<Answer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const own = {
      host: new URL(url).host,
      "sec-fetch-site": "same-origin",
      ...(method !== "GET" && { origin: url }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    };
    const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    const sent = request(`${url}${path}`, { method, headers: given, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.on("end", () => {
        const isJson = text !== "" && answer.headers["content-type"]?.includes("json") === true;
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
    return promise;
  };

  /** @returns what a browser sends from then on */
  const login = async (
    user: string,
    password = PASSWORD,
  ): Promise<{ cookie: string; "x-csrf-token": string }> => {
    const answer = await send("/api/login", { method: "POST", body: { user, password } });
    expect(answer).toMatchObject({ status: 200 });
    const [cookie = ""] = answer.headers["set-cookie"] ?? [];
    return { cookie: cookie.split(";")[0] ?? "", "x-csrf-token": (answer.json as Me).csrf ?? "" };
  };

  const act = (name: string, body: object, headers: Record<string, string | undefined>) =>
    send(`/api/actions/${name}`, { method: "POST", body, headers });

  return {
    url,
    port,
    usersFile,
    log,
    registry,
    running,
    send,
    login,
    act,
    addUser: (user: ConsoleUser) => addUser(usersFile, user),
  };
}

/** What comes over an event stream, until the test ends. */
export async function openEvents({ url }: Pick<TestConsole, "url">, headers: Record<string, string> = {}) {
  const events: { name: string; data: unknown }[] = [];
  const opened = Promise.withResolvers<number>();
  let isOver = false;
  const sent = request(`${url}/api/events`, { headers, agent: false }, (answer) => {
    let rest = "";
    opened.resolve(answer.statusCode ?? 0);
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      const blocks = `${rest}${chunk}`.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
        if (name !== undefined && data !== undefined) events.push({ name, data: JSON.parse(data) });
      }
    });
    answer.on("close", () => (isOver = true));
  });
  sent.on("error", () => (isOver = true));
  sent.end();
  onTestFinished(() => void sent.destroy());
  const untilOver = () =>
    eventually(async () => isOver || undefined, OVER_WITHIN_MS, "the end of an event stream");
  return { status: await opened.promise, events, untilOver };
}
