/** The command line as a process: commands that run until interrupted, commands that ask, and exit codes. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import {
  endProcess,
  eventually,
  freePort,
  shellWord,
  spawnGuarded,
  startRedisServer,
  type TestRedis,
  urlOfUser,
} from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PATIENCE_MS = 15_000;
const keys = createKeys();

let server: TestRedis;
let redis: RedisClient;
beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

const environment = () => ({ PATH: process.env["PATH"] ?? "", REDIS_URL: server.url });

/** A command that runs until it is interrupted. */
async function start(...args: string[]) {
  const child = await spawnGuarded(process.execPath, ["scripts/permitctl.mjs", ...args], {
    cwd: ROOT,
    env: environment(),
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const closed = once(child, "close");
  const count = async (n: number) => (lines.length >= n ? lines : undefined);
  return {
    /** The first n lines. */
    lines: (n: number) => eventually(() => count(n), PATIENCE_MS, `${n} lines of ${args.join(" ")}`),
    interrupt: async (): Promise<unknown> => {
      await endProcess(child, "SIGINT");
      return (await closed)[0];
    },
  };
}

/** How many permitctl processes wait for entries. */
async function readers(): Promise<number> {
  const clients = String(await redis.client("LIST")).split("\n");
  return clients.filter((line) => line.includes("name=permitctl ") && line.includes("cmd=xread ")).length;
}

describe("what goes on until it is interrupted", () => {
  it("shows the waits live, filtered, as lines or JSON", async () => {
    const all = await start("watch");
    const denials = await start("watch", "--json", "--only", "block", "--reason", "stale_exchange_state");
    await eventually(async () => ((await readers()) === 2 ? true : undefined), PATIENCE_MS, "both watch");
    const add = (stream: string, fields: Record<string, string>) =>
      redis.xadd(stream, "*", "symbol", "BTCUSDT", "wait_ms", "7", ...Object.entries(fields).flat());
    const denied = { outcome: "BLOCKED", reason: "p33_permit_denied", detail: "stale_exchange_state" };
    await add(keys.streams.execute, { plan_id: "67e6da21fa9fe506", safe_qty: "0.008" });
    await redis.xadd(keys.streams.result, "*", "plan_id", "67e6da21fa9fe506", "outcome", "EXECUTED");
    await add(keys.streams.result, { plan_id: "3f58da1bdb590b3b", ...denied });
    const shown = await all.lines(2);
    expect(shown.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "")).toSorted()).toEqual([
      "[PERMIT_WAIT] BLOCK plan=3f58da1bdb590b3b reason=p33_permit_denied symbol=BTCUSDT wait_ms=7 detail=stale_exchange_state",
      "[PERMIT_WAIT] OK plan=67e6da21fa9fe506 wait_ms=7 safe_qty=0.0080 symbol=BTCUSDT",
    ]);
    const [line = ""] = await denials.lines(1);
    expect(JSON.parse(line)).toEqual({
      at_ms: expect.any(Number),
      outcome: "BLOCK",
      plan_id: "3f58da1bdb590b3b",
      symbol: "BTCUSDT",
      wait_ms: 7,
      reason: "p33_permit_denied",
      detail: "stale_exchange_state",
    });
    expect(await Promise.all([all.interrupt(), denials.interrupt()])).toEqual([0, 0]);
  });

  it("begins in the past where it is told to, with what was blocked at its opening, in the order of time", async () => {
    await redis.flushall();
    const at = Date.now();
    const add = (stream: string, ageMs: number, fields: Record<string, string>) =>
      redis.xadd(stream, `${at - ageMs}-0`, "symbol", "ETHUSDT", ...Object.entries(fields).flat());
    await add(keys.streams.result, 7_200_000, { plan_id: "a", outcome: "BLOCKED", reason: "old" });
    await add(keys.streams.result, 60_000, {
      plan_id: "b",
      outcome: "BLOCKED",
      reason: "kill_switch_active",
    });
    await add(keys.streams.execute, 50_000, { plan_id: "c", wait_ms: "5", safe_qty: "1.5" });
    await add(keys.streams.result, 40_000, { plan_id: "d", outcome: "SKIP", reason: "action_hold" });
    await add(keys.streams.result, 30_000, { plan_id: "e", outcome: "BLOCKED", reason: "backlog_full" });
    const time = (ageMs: number) => new Date(at - ageMs).toISOString();
    const since = await start("watch", "--since", "1h", "--symbol", "ethusdt");
    expect(await since.lines(3)).toEqual([
      `${time(60_000)} [AT_OPENING] BLOCK plan=b reason=kill_switch_active symbol=ETHUSDT`,
      `${time(50_000)} [PERMIT_WAIT] OK plan=c wait_ms=5 safe_qty=1.5000 symbol=ETHUSDT`,
      `${time(30_000)} [AT_OPENING] BLOCK plan=e reason=backlog_full symbol=ETHUSDT`,
    ]);
    await since.interrupt();
    const blocks = await start("watch", "--since", time(35_000), "--only", "BLOCK", "--json");
    expect((await blocks.lines(1)).map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        at_ms: at - 30_000,
        outcome: "BLOCK",
        plan_id: "e",
        symbol: "ETHUSDT",
        wait_ms: null,
        reason: "backlog_full",
        detail: "",
      },
    ]);
    await blocks.interrupt();
    expect(await permitctl(server.url, ["watch", "--since", "yesterday"])).toMatchObject({ code: 2 });
    await redis.flushall();
  });

  it("shows the status again and again", async () => {
    const status = await start("status", "--follow", "--json");
    const shown = await status.lines(2);
    for (const line of shown)
      expect(JSON.parse(line)).toMatchObject({ kill_switch: { on: false }, away: null, pipeline: false });
    // Nobody has ever started a service here.
    expect(await status.interrupt()).toBe(1);
  });
});

const NO_TERMINAL = spawnSync("script", ["--version"]).status !== 0;

/** script(1) provides the terminal and takes a shell command. */
function onTerminal(...args: string[]) {
  const words = [process.execPath, "scripts/permitctl.mjs", ...args];
  const line = words.map(shellWord).join(" ");
  const env = { ...environment(), TERM: "xterm" };
  return spawn("script", ["-qec", line, "/dev/null"], { cwd: ROOT, env });
}

const spawnPlain = (...args: string[]) =>
  spawn(process.execPath, ["scripts/permitctl.mjs", ...args], { cwd: ROOT, env: environment() });

describe("text from elsewhere", () => {
  const OWNED =
    "\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b31m\u202e\r\n[PERMIT_WAIT] OK plan=0123456789abcdef";
  const ESCAPED = String.raw`\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b31m\u202e\r\n[PERMIT_WAIT] OK`;

  it.each(["dlq show", "dlq list", "explain", "history", "status"])(
    "is shown escaped by %s",
    async (command) => {
      const plan = "abcdefabcdef0123";
      const blocked = { symbol: "BTCUSDT", outcome: "BLOCKED", reason: OWNED, detail: OWNED, wait_ms: "7" };
      await redis.xadd(keys.streams.result, "*", "plan_id", plan, ...Object.entries(blocked).flat());
      await redis.set(keys.killSwitch, OWNED);
      const letter = { stream: keys.streams.plan, group: OWNED, reason: OWNED, [`entry.${OWNED}`]: OWNED };
      const id = await redis.xadd(keys.streams.deadLetter, "*", ...Object.entries(letter).flat());
      const argument = { "dlq show": id ?? "", explain: plan }[command];
      const words = [...command.split(" "), ...(argument === undefined ? [] : [argument])];
      const child = NO_TERMINAL ? spawnPlain(...words) : onTerminal(...words);
      const chunks: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      await once(child, "close");
      await redis.del(keys.streams.result, keys.streams.deadLetter, keys.killSwitch);
      const shown = stripVTControlCharacters(String(Buffer.concat(chunks))).replaceAll("\r\n", "\n");
      expect(shown.replaceAll("\n", "")).toMatch(/^[ -~]*$/);
      expect(shown).not.toMatch(/^\[PERMIT_WAIT\]/m);
      // Shown completely: control sequences sent to the terminal would have been removed together with permitctl's own
      // colours.
      expect(shown).toContain(ESCAPED);
    },
  );
});

describe("a correction", () => {
  const plan = { plan_id: "67e6da21fa9fe506", symbol: "BTCUSDT", attempt: "1769301008977-0" };
  const add = (fields: Record<string, string>) =>
    redis.xadd(keys.streams.result, "*", ...Object.entries({ ...plan, ...fields }).flat());
  const results = async () =>
    (await permitctl(server.url, ["verify"])).stdout.split("\n").find((line) => line.includes(" results: "));

  it("is counted, shown with what it corrects, and a second one fails verify (I3, I4)", async () => {
    await redis.flushall();
    const denied = await add({ outcome: "NOT_PLACED", error: "not_placed_by_evidence" });
    expect(await results()).toBe("ok        results: 1 attempts, corrections 0");
    const correction = { outcome: "EXECUTED", executed: "True", corrects: String(denied) };
    await add(correction);
    expect(await results()).toBe("ok        results: 1 attempts, corrections 1");
    const { stdout } = await permitctl(server.url, ["history"]);
    expect(stdout).toContain(`corrects NOT_PLACED not_placed_by_evidence (${denied})`);
    await add(correction);
    const twice = `more than one: attempts ${plan.attempt}`;
    expect(await results()).toBe(`FAIL      results: 1 attempts, corrections 1; ${twice}`);
    await redis.flushall();
  });
});

describe("a change", () => {
  it("asks on a terminal for a reason and a yes", async ({ skip }) => {
    skip(NO_TERMINAL, "script(1) makes the terminal");
    await redis.set(keys.killSwitch, "1");
    const child = onTerminal("kill", "off");
    let shown = "";
    const answers: [string, string][] = [
      ["for the record: ", "typed by hand\n"],
      ["(yes/no) ", "no\n"],
    ];
    child.stdout.on("data", (chunk) => {
      shown += String(chunk);
      const [question, answer] = answers[0] ?? [];
      if (question === undefined || !shown.includes(question)) return;
      answers.shift();
      child.stdin.write(answer);
    });
    const [code] = await once(child, "close");
    expect(shown).toContain("not confirmed; nothing was changed");
    expect(code).toBe(1);
    expect(await redis.get(keys.killSwitch)).toBe("1");
    expect(await redis.exists(keys.streams.operatorAudit)).toBe(0);
    await redis.del(keys.killSwitch);
  });
});

describe("exit codes", () => {
  it("are 3 where no Redis answers, 2 for wrong usage, and 0 for help", async () => {
    const nowhere = await permitctl(`redis://:secret@127.0.0.1:${await freePort()}`, ["status"]);
    expect(nowhere).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("does not answer"),
    });
    expect(nowhere.stderr).not.toContain("secret");
    expect(await permitctl(`${server.url}/99`, ["status"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("refuses: this Redis has no such database"),
    });
    expect((await permitctl(`${server.url}/three`, ["status"])).code).toBe(2);
    expect((await permitctl(server.url, ["halt"])).code).toBe(2);
    expect((await permitctl(server.url, ["kill", "maybe", "--yes", "--reason", "a drill"])).code).toBe(2);
    expect((await permitctl("http://no-redis", ["status"])).code).toBe(2);
    for (const help of [["--help"], ["dlq", "--help"], ["explain", "--help"]])
      expect(await permitctl(server.url, help)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("Usage: permitctl"),
      });
  });

  it("are 3 for what Redis cannot do now, with its reason", async () => {
    await redis.config("SET", "min-replicas-to-write", "1");
    const refused = await permitctl(server.url, ["kill", "on", "--yes", "--reason", "a drill"]);
    await redis.config("SET", "min-replicas-to-write", "0");
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("cannot do this now: Redis takes no writes until enough replicas"),
    });
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });

  it("are 1 where a key of the wrong type is in the way, which is named", async () => {
    await redis.set(keys.streams.plan, "odd");
    const refused = await permitctl(server.url, ["status"]);
    await redis.del(keys.streams.plan);
    expect(refused).toMatchObject({
      code: 1,
      stderr: `permitctl: ${keys.streams.plan} is a string but must be a stream: rename or delete it\n`,
    });
    await redis.set(keys.ledger("BTCUSDT"), "odd");
    const ofSymbol = await permitctl(server.url, [
      "hold",
      "accept",
      "BTCUSDT",
      "--yes",
      "--reason",
      "a drill",
    ]);
    await redis.del(keys.ledger("BTCUSDT"));
    expect(ofSymbol).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^permitctl: a key of the symbol or the plan is of the wrong type/),
    });
  });

  it("are those of the Redis that is named, by URL or by the file of a running launcher", async () => {
    const dir = await mkdtemp(join(tmpdir(), "quantum-permitctl-"));
    const file = join(dir, "run.json");
    await writeFile(file, JSON.stringify({ redis: { url: server.url } }));
    const nowhere = `redis://127.0.0.1:${await freePort()}`;
    const asks = async (...options: string[]) => (await permitctl(nowhere, ["exchange", ...options])).code;
    expect(await asks("--run", file)).toBe(0);
    expect(await asks("--redis-url", server.url)).toBe(0);
    expect(await asks("--run", join(dir, "none.json"))).toBe(2);
    await rm(dir, { recursive: true });
  });
});

describe("under the Redis users of operators", () => {
  const under = (user: string | undefined, ...args: string[]) => {
    const url = user === undefined ? server.url : urlOfUser(server.url, user);
    const { status, stderr } = spawnSync(process.execPath, ["scripts/permitctl.mjs", ...args], {
      cwd: ROOT,
      env: { ...environment(), REDIS_URL: url },
      encoding: "utf8",
    });
    return { status, stderr };
  };

  it.each([["status"], ["history", "BTCUSDT"], ["explain", "00000000000000aa"], ["dlq", "show"]])(
    "%s is for `viewer`, too",
    (...args) => {
      const asViewer = under("viewer", ...args);
      expect(asViewer).toEqual(under(undefined, ...args));
      expect(asViewer.stderr).not.toContain("NOPERM");
    },
  );

  it("changes are for `operator` alone", async () => {
    expect(under("viewer", "kill", "on", "--yes", "--reason", "test")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("this Redis user lacks a required right"),
    });
    expect(await redis.exists(keys.killSwitch)).toBe(0);
    await redis.xgroup("CREATE", keys.streams.plan, "governor", "$", "MKSTREAM");
    expect(under("operator", "kill", "on", "--yes", "--reason", "test").status).toBe(0);
    expect(await redis.get(keys.killSwitch)).toBe("1");
    expect(under("operator", "kill", "off", "--yes", "--reason", "test").status).toBe(0);
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });
});
