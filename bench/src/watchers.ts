/** The console of a rig, and the event streams of those who look at it. */
import { execFile } from "node:child_process";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Rig } from "./rig.ts";

const ROOT = join(import.meta.dirname, "../..");
const USER = "bench";
const PASSWORD = "a password for the bench";

export interface Watchers {
  /** Resolves once this many streams are open, each after its first event. */
  watch: (count: number) => Promise<void>;
  /** Received by all streams so far. */
  bytes: () => number;
  /** Throws if it is refused. */
  act: (action: string, body: object) => Promise<void>;
  stop: () => Promise<void>;
}

/** Starts the console with one operator, who has logged in. */
export async function openConsole(rig: Rig, operatorUrl: string): Promise<Watchers> {
  const users = join(rig.dir, "console-users.json");
  await addUser(users);
  const url = await rig.startService("console", {
    REDIS_URL: rig.url,
    CONSOLE_USERS_FILE: users,
    CONSOLE_OPERATOR_REDIS_URL: operatorUrl,
  });
  const headers: Record<string, string> = { origin: url, "content-type": "application/json" };
  const login = await fetch(`${url}/api/login`, {
    method: "POST",
    headers,
    body: JSON.stringify({ user: USER, password: PASSWORD }),
  });
  if (!login.ok) throw new Error(`login: ${login.status} ${await login.text()}`);
  const { csrf } = (await login.json()) as { csrf: string };
  headers["cookie"] = login.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
  headers["x-csrf-token"] = csrf;

  const open: IncomingMessage[] = [];
  let bytes = 0;
  const close = () => {
    for (const stream of open.splice(0)) stream.destroy();
  };
  return {
    async watch(count) {
      close();
      for (let no = 0; no < count; no += 1)
        open.push(await openStream(`${url}/api/events`, headers, (length) => (bytes += length)));
    },
    bytes: () => bytes,
    async act(action, body) {
      const answer = await fetch(`${url}/api/actions/${action}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${action}: ${answer.status} ${await answer.text()}`);
    },
    stop: async () => close(),
  };
}

/** Resolves with its first event. */
function openStream(
  url: string,
  headers: Record<string, string>,
  onBytes: (length: number) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.on("data", (chunk: Buffer) => {
        onBytes(chunk.length);
        resolve(response);
      });
      // It is closed while it goes on.
      response.on("error", () => undefined);
    }).on("error", reject);
  });
}

async function addUser(file: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = execFile(
    process.execPath,
    ["scripts/permitctl.mjs", "console", "user", "add", USER, "--role", "operator"],
    { cwd: ROOT, env: { PATH: process.env["PATH"], CONSOLE_USERS_FILE: file } },
    (error, _stdout, stderr) => (error === null ? resolve() : reject(new Error(stderr, { cause: error }))),
  );
  child.stdin?.end(`${PASSWORD}\n`);
  await promise;
}
